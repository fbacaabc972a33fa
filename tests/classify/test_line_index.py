"""Lines of tables, keys and strings, whatever the layout."""

from __future__ import annotations

import tomllib

from mammocalc.classify.line_index import LineIndex

TEXT = '''title = "a [table] = # not a comment"  # "not a string"
text = """
[not.a.table]
key = 1
"""
[one]
x = 1
"quoted" = 2
inner.y = 3

[one.two] # with a comment
z = ["[[no]]",
  'b', # "c"
  "d\\"e"]
[[list]]
name = "first"
[[list]]
name = "second"
values = [["p", ">=", 1], { any = [["q", "<", 2]] }]
'''


def test_the_text_is_toml():
    assert tomllib.loads(TEXT)["one"]["two"]["z"] == ["[[no]]", "b", 'd"e']


def test_tables_and_keys():
    index = LineIndex(TEXT)
    assert index.line("", "title") == 1
    assert index.line("one") == 6
    assert index.line("one", "x") == 7
    assert index.line("one", "quoted") == 8
    assert index.line("one.inner", "y") == 9
    assert index.line("one.two") == 11
    assert index.line("one.two", "z") == 12
    assert index.line("list", "name", 0) == 16
    assert index.line("list", "name", 1) == 18
    assert index.find("not.a") is None


def test_strings_in_order():
    index = LineIndex(TEXT)
    assert index.find("one.two").strings == [12, 13, 14]
    assert index.find("list", 1).strings == [18, 19, 19, 19, 19]


def test_what_is_hidden_falls_back_to_what_is_around_it():
    index = LineIndex(TEXT)
    assert index.line("one", "nowhere") == 6
    assert index.line("nowhere.at.all") == 1
