"""The lexicon as a file: complete, sourced, changed by a user's own, and held to what can be measured."""

from __future__ import annotations

import json

import pytest

from mammocalc.classify import LABELS, SUSPICIONS, describe, load_lexicon
from mammocalc.errors import InvalidParameter


class TestBuiltIn:
    def test_every_label_has_a_term_and_a_rule(self, lexicon):
        assert set(lexicon.labels) == set(LABELS)
        assert {rule.label for rule in lexicon.rules} == set(LABELS)

    def test_every_rule_has_a_source_a_reason_and_a_known_suspicion(self, lexicon):
        for rule in (*lexicon.rules, *lexicon.cluster_rules):
            assert rule.sources
            assert rule.reason
            assert rule.suspicion in SUSPICIONS

    def test_every_named_threshold_is_used(self, lexicon):
        used = {
            condition.value
            for rule in (*lexicon.rules, *lexicon.cluster_rules)
            for condition in rule.when.conditions()
            if not condition.is_text
        }
        assert used == set(lexicon.thresholds)

    def test_every_source_is_cited(self, lexicon):
        cited = {key for rule in (*lexicon.rules, *lexicon.cluster_rules) for key in rule.sources}
        cited |= {key for term in lexicon.labels.values() for key in term.sources}
        assert cited == set(lexicon.sources)

    def test_codes_are_those_of_the_standard(self, lexicon):
        from pydicom.sr.codedict import codes

        standard = {(code.scheme_designator, code.value) for code in codes.cid6010.concepts.values()}
        for name, term in lexicon.labels.items():
            if name != "unclassified":
                assert (term.scheme, term.code) in standard, name

    def test_the_decisive_calibre_is_half_a_millimetre(self, lexicon):
        assert lexicon.thresholds["rod_calibre_mm"].value == 0.5
        assert lexicon.thresholds["rod_calibre_mm"].basis == "atlas"

    def test_round_trips_through_json(self, lexicon):
        assert json.loads(json.dumps(lexicon.as_dict())) == lexicon.as_dict()

    def test_description_names_every_label_rule_threshold_and_source(self, lexicon):
        text = describe(lexicon)
        for name in (
            *lexicon.labels,
            *(rule.name for rule in lexicon.rules),
            *lexicon.thresholds,
            *lexicon.sources,
        ):
            assert name in text
        assert lexicon.hash in text
        assert "width_mm >= 0.5 mm" in text


class TestHash:
    def test_is_stable(self, lexicon):
        assert load_lexicon().hash == lexicon.hash

    def test_does_not_depend_on_layout(self, rules_file, lexicon):
        path = rules_file("# nothing but a comment\n\n[thresholds.rod_calibre_mm]\nvalue = 0.5 # as it was\n")
        assert load_lexicon(path).hash == lexicon.hash

    def test_changes_with_any_threshold(self, lexicon):
        hashes = {
            lexicon.with_threshold(name, threshold.value + 0.01).hash
            for name, threshold in lexicon.thresholds.items()
        }
        assert len(hashes | {lexicon.hash}) == len(lexicon.thresholds) + 1


class TestOwnFile:
    @pytest.mark.parametrize(
        "text",
        [
            "thresholds.rod_calibre_mm = 0.6",
            "[thresholds]\nrod_calibre_mm = 0.6",
            "[thresholds]\nrod_calibre_mm = { value = 0.6 }",
            "[thresholds.rod_calibre_mm]\nvalue = 0.6",
        ],
    )
    def test_moves_a_threshold(self, rules_file, lexicon, text):
        own = load_lexicon(rules_file(text))
        assert own.thresholds["rod_calibre_mm"].value == 0.6
        assert own.thresholds["rod_calibre_mm"].note == lexicon.thresholds["rod_calibre_mm"].note
        assert own.rules == lexicon.rules

    def test_the_moved_threshold_decides(self, rules_file, image_of, sized):
        from mammocalc.classify import classify

        rod = sized(4.0, 0.55, nipple_angle_deg=5.0, width_variation=0.1, roughness=0.03)
        image = image_of(rod)
        own = load_lexicon(rules_file("thresholds.rod_calibre_mm = 0.6"))
        assert classify(image.measurements, image.arrangement, load_lexicon()).label[0] == "large_rod_like"
        assert classify(image.measurements, image.arrangement, own).label[0] == "fine_linear"

    def test_replaces_fields_of_a_rule(self, rules_file, lexicon):
        own = load_lexicon(rules_file('[[rules]]\nname = "rim"\nsuspicion = "indeterminate"\n'))
        changed = {rule.name: rule for rule in own.rules}["rim"]
        original = {rule.name: rule for rule in lexicon.rules}["rim"]
        assert changed.suspicion == "indeterminate"
        assert changed.when == original.when
        assert [rule.name for rule in own.rules] == [rule.name for rule in lexicon.rules]

    def test_replaces_the_conditions_of_a_rule(self, rules_file):
        own = load_lexicon(rules_file('[[rules]]\nname = "rim"\nany = [["lucency", ">=", 0.9]]\n'))
        changed = {rule.name: rule for rule in own.rules}["rim"]
        assert [condition.subject for condition in changed.when.conditions()] == ["lucency"]
        assert changed.when.kind == "any"

    def test_adds_a_rule_before_another(self, rules_file, image_of):
        from mammocalc.classify import classify

        own = load_lexicon(
            rules_file(
                """
                [[rules]]
                name = "near_the_nipple"
                label = "large_rod_like"
                suspicion = "typically_benign"
                reason = "as our department has it"
                sources = ["working"]
                before = "rim"
                all = [["nipple_distance_mm", "<", 20]]
                """
            )
        )
        names = [rule.name for rule in own.rules]
        assert names.index("near_the_nipple") == names.index("rim") - 1
        image = image_of({"nipple_distance_mm": 19.0}, {"nipple_distance_mm": 21.0})
        assert classify(image.measurements, image.arrangement, own).label.tolist() == [
            "large_rod_like",
            "punctate",
        ]

    def test_moves_a_rule(self, rules_file):
        own = load_lexicon(rules_file('[[rules]]\nname = "rim"\nbefore = "skin_ring"\n'))
        assert [rule.name for rule in own.rules][:2] == ["rim", "skin_ring"]

    def test_drops_a_rule(self, rules_file, lexicon):
        own = load_lexicon(rules_file('[[rules]]\nname = "suture"\nremove = true\n'))
        assert [rule.name for rule in own.rules] == [
            rule.name for rule in lexicon.rules if rule.name != "suture"
        ]

    def test_changes_a_cluster_rule(self, rules_file):
        own = load_lexicon(
            rules_file('[[cluster_rules]]\nname = "group_round"\nall = [["share_round", ">=", 0.9]]\n')
        )
        changed = {rule.name: rule for rule in own.cluster_rules}["group_round"]
        assert changed.when.conditions().__next__().subject == "share_round"


NEW = """[[rules]]
name = "mine"
label = "round"
suspicion = "typically_benign"
reason = "mine"
sources = ["working"]
before = "rim"
"""


class TestMistakesAreNamedWithTheirLine:
    @pytest.mark.parametrize(
        ("text", "line", "what"),
        [
            (
                NEW + 'all = [["widht_mm", ">=", 0.5]]',
                8,
                "rule 'mine': unknown feature 'widht_mm'; did you mean 'width_mm'?",
            ),
            (
                NEW
                + 'all = [\n  ["lucency", ">=", 0.5],\n  # ["x"]\n  ["lucency / widht_mm", ">=", 0.5],\n]',
                11,
                "rule 'mine': unknown feature 'widht_mm'",
            ),
            (
                NEW
                + 'all = [\n ["cnr", ">=", 5],\n { any = [\n  ["cnr", "<", 9],\n  ["branchs", ">=", 1],\n ] },\n]',
                12,
                "unknown feature 'branchs'; did you mean 'branches'?",
            ),
            (
                NEW.replace('"round"', '"rounded"') + 'all = [["lucency", ">=", 0.5]]',
                3,
                "unknown label 'rounded'; did you mean 'round'?",
            ),
            (
                NEW.replace("typically_", "") + 'all = [["lucency", ">=", 0.5]]',
                4,
                "unknown suspicion 'benign'",
            ),
            (
                NEW.replace('"working"', '"wroking"') + 'all = [["lucency", ">=", 0.5]]',
                6,
                "no source is called 'wroking'; did you mean 'working'?",
            ),
            (
                NEW + 'all = [["lucency", "=>", 0.5]]',
                8,
                "unknown operator '=>' after 'lucency'; use one of >= <=",
            ),
            (
                NEW + 'all = [["lucency", ">=", true]]',
                8,
                "lucency >=: a number or the name of a threshold is needed, got True",
            ),
            (
                NEW + 'all = [["lucency", ">=", "0.5"]]',
                8,
                "lucency >=: a number or the name of a threshold is needed, got '0.5'",
            ),
            (
                NEW + 'all = [["lucency", ">=", "ring_lucensy"]]',
                8,
                "got 'ring_lucensy'; did you mean 'ring_lucency'?",
            ),
            (NEW + 'all = [["lucency", "in", [0.5]]]', 8, "'lucency' is a number: compare it with"),
            (
                NEW + 'all = [["cluster_distribution", ">=", "linear"]]',
                8,
                "'cluster_distribution' is a text: compare it with == or in",
            ),
            (
                NEW + 'all = [["cluster_distribution", "==", 3]]',
                8,
                "cluster_distribution ==: a text is needed, got 3",
            ),
            (
                NEW + 'all = [["cluster_distribution", "in", "linear"]]',
                8,
                "cluster_distribution in: a list of texts",
            ),
            (NEW + 'all = [["lucency", ">="]]', 8, "a condition is"),
            (NEW + "all = [[0.5, '>=', 0.5]]", 8, "a condition starts with a feature, got 0.5"),
            (NEW + "all = []", 8, "all needs conditions such as"),
            (NEW + 'all = [{ either = [["lucency", ">=", 0.5]] }]', 8, "a group is"),
            (NEW, 1, "rule 'mine': no conditions: write all"),
            (
                NEW.replace('reason = "mine"\n', "") + 'all = [["lucency", ">=", 0.5]]',
                1,
                "rule 'mine': reason is missing",
            ),
            (
                NEW.replace('before = "rim"\n', "") + 'all = [["lucency", ">=", 0.5]]',
                1,
                "rule 'mine' is new: say before",
            ),
            (
                NEW.replace('"rim"', '"rmi"') + 'all = [["lucency", ">=", 0.5]]',
                7,
                "no rule is called 'rmi'; did you mean 'rim'?",
            ),
            (NEW + 'whne = [["lucency", ">=", 0.5]]', 8, "rule 'mine': unknown field 'whne'"),
            ("[[rules]]\nlabel = 'round'", 1, "a rule needs a name"),
            (
                "[[rules]]\nname = 'sutur'\nremove = true",
                3,
                "no rule is called 'sutur'; did you mean 'suture'?",
            ),
            ("[[rules]]\nname = 'suture'\nremove = false", 3, "remove can only be true, got False"),
            (
                "[[rules]]\nname = 'rim'\n\n[[rules]]\nname = 'rim'",
                5,
                "rule 'rim' stands twice, first in line 1",
            ),
            ("rules = 3", 1, "write each rule under its own"),
            (
                "[thresholds]\n# so\nrod_calibre_mm = 'half'",
                3,
                "threshold 'rod_calibre_mm': a number is needed, got 'half'",
            ),
            (
                "[thresholds]\n\nrod_calibre_mm = { value = true }",
                3,
                "threshold 'rod_calibre_mm': a number is needed, got True",
            ),
            (
                "\n[thresholds.rod_calibre_mm]\nvalue = 0.5\nsoft = 0",
                4,
                "soft: a number above 0 is needed, got 0",
            ),
            ("[thresholds.rod_calibre_mm]\nvalu = 0.5", 2, "unknown field 'valu'; did you mean 'value'?"),
            (
                "[thresholds.rod_calibre_mm]\nbasis = 'guess'",
                2,
                "basis must be one of atlas, paper, proposal, got 'guess'",
            ),
            ("[thresholds.rod_caliber_mm]\nsoft = 0.1", 1, "has no value; did you mean 'rod_calibre_mm'?"),
            ("thresholds.rod_calibre_mm = nan", 1, "a number is needed, got nan"),
            ("[thresholds]\nwidth_mm = 0.5", 2, "a threshold cannot be called 'width_mm': that is a feature"),
            (
                "title = 'x'\n\n[threshold]\nrod_calibre_mm = 0.6",
                3,
                "unknown table 'threshold'; did you mean 'thresholds'?",
            ),
            ("thresholds = 3", 1, "thresholds must be a table, got 3"),
            ("[labels.rime]\nterm = 'Rim'", 1, "unknown label 'rime'; did you mean 'rim'?"),
            ("[labels.rim]\nterm = 3", 2, "label 'rim': term must be a text, got 3"),
            ("[labels.rim]\ntrem = 'Rim'", 2, "unknown field 'trem'; did you mean 'term'?"),
            ("[labels.rim]\nsources = ['nowhere']", 1, "label 'rim': no source is called 'nowhere'"),
            ("[sources]\nmine = 3", 2, "source 'mine': a text is needed, got 3"),
            ("soft_edge = -1", 1, "soft_edge: a number above 0 is needed, got -1"),
            ("\n\ntitle = 3", 3, "title must be a text, got 3"),
            (
                "[[cluster_rules]]\nname = 'group_round'\nall = [['lucency', '>=', 0.5]]",
                3,
                "unknown feature 'lucency'",
            ),
        ],
    )
    def test_mistake(self, rules_file, text, line, what):
        path = rules_file(text)
        with pytest.raises(InvalidParameter) as caught:
            load_lexicon(path)
        assert f"{path}, line {line}: " in str(caught.value)
        assert what in str(caught.value)

    def test_not_toml(self, rules_file):
        with pytest.raises(InvalidParameter, match=r"rules\.toml: not valid TOML: .*line 2"):
            load_lexicon(rules_file("title = 'x'\n= 3\n"))

    def test_no_such_file(self, tmp_path):
        with pytest.raises(InvalidParameter, match=r"nowhere\.toml: the rules cannot be read"):
            load_lexicon(tmp_path / "nowhere.toml")

    def test_no_such_threshold_to_move(self, lexicon):
        with pytest.raises(
            InvalidParameter, match="no threshold is called 'rod_caliber_mm'; did you mean 'rod_calibre_mm'"
        ):
            lexicon.with_threshold("rod_caliber_mm", 0.6)
