// The index of a run: one row an image, filtered and sorted here, a hundred at a time.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const AT_ONCE = 100;
  const state = { text: "", status: "", label: "", least: 0, suspicious: false, reason: "", order: null, descending: false, from: 0 };

  const rows = data.rows;
  const status = (row) => data.statuses[row.status];
  const total = (row) => Object.values(row.labels || {}).reduce((sum, count) => sum + count, 0);
  const COLUMNS = [
    { title: "picture" },
    { title: "image", key: (row) => row.path },
    { title: "side", key: (row) => row.laterality },
    { title: "view", key: (row) => row.view },
    { title: "calcifications", key: total, number: true },
    { title: "suspicious", key: (row) => row.suspicious || 0, number: true },
    { title: "clusters", key: (row) => row.clusters || 0, number: true },
    { title: "labels" },
    { title: "status", key: status },
  ];
  const fits = (row) =>
    (!state.status || status(row) === state.status) &&
    (!state.label || (row.labels && row.labels[state.label] > 0)) &&
    total(row) >= state.least &&
    (!state.suspicious || row.suspicious > 0) &&
    (!state.reason || row.reason === state.reason) &&
    (!state.text || `${row.path} ${row.study || ""} ${row.reason || ""}`.toLowerCase().includes(state.text));
  const chosen = () => {
    const found = rows.filter(fits);
    if (state.order === null) return found;
    const { key } = COLUMNS[state.order], sign = state.descending ? -1 : 1;
    const compare = (a, b) => (typeof a === "string" ? (a < b ? -1 : a > b ? 1 : 0) : a - b);
    return found.map((row, k) => [row, k]).sort(([a, i], [b, j]) => sign * compare(key(a), key(b)) || i - j).map(([row]) => row);
  };
  const link = (row, ...children) => (row.page ? element("a", { href: row.page }, ...children) : element("span", {}, ...children));
  // A long path is broken at its joints.
  const breakable = (text) => text.split(/(?<=[/_])/).flatMap((piece) => [piece, element("wbr")]);
  const shownRow = (row) => {
    const picture = element("td", { class: "picture" });
    if (row.thumbnail) {
      picture.append(link(row, element("img", { src: row.thumbnail, alt: "", loading: "lazy" })));
    }
    const path = row.path + (row.frame ? `, frame ${row.frame + 1}` : "");
    const labels = Object.entries(row.labels || {}).map(([label, count]) => {
      const inner = element("i"), chip = element("span", { class: "chip", "aria-hidden": "true" }, inner);
      inner.style.background = data.colours[label];
      return element("span", { class: "label" }, chip, ` ${data.words[label]} ${count}`);
    });
    const end = element("td", {}, element("span", { class: status(row) }, status(row)));
    if (row.reason) end.append(`: ${row.reason}`);
    const number = (count) => element("td", { class: "number" }, status(row) === "ok" ? String(count || 0) : "");
    return element("tr", {}, picture, element("td", { class: "path" }, link(row, ...breakable(path))), element("td", {}, row.laterality),
      element("td", {}, row.view), number(total(row)), number(row.suspicious), number(row.clusters),
      element("td", { class: "labels" }, ...labels), end);
  };
  const show = () => {
    const found = chosen();
    state.from = Math.min(state.from, Math.max(0, Math.floor((found.length - 1) / AT_ONCE) * AT_ONCE));
    const to = Math.min(state.from + AT_ONCE, found.length);
    byId("images").tBodies[0].replaceChildren(...found.slice(state.from, to).map(shownRow));
    byId("count").textContent = found.length ? `${state.from + 1} to ${to} of ${found.length} images (${rows.length} in all)` : `none of ${rows.length} images`;
    byId("back").disabled = state.from === 0;
    byId("on").disabled = to >= found.length;
    const head = element("tr");
    COLUMNS.forEach((column, k) => {
      const arrow = state.order === k ? (state.descending ? " ↓" : " ↑") : "";
      const cell = element("th", { "aria-sort": state.order !== k ? "none" : state.descending ? "descending" : "ascending" });
      if (column.key) {
        const button = element("button", { type: "button" }, column.title + arrow);
        button.addEventListener("click", () => {
          // Numbers from the largest first.
          const first = Boolean(column.number);
          if (state.order !== k) { state.order = k; state.descending = first; }
          else if (state.descending === first) state.descending = !first;
          else state.order = null;
          state.from = 0;
          show();
          byId("images").tHead.rows[0].cells[k].firstChild.focus();
        });
        cell.append(button);
      } else cell.append(column.title);
      head.append(cell);
    });
    byId("images").tHead.replaceChildren(head);
  };
  const change = (facts) => { Object.assign(state, facts, { from: 0 }); show(); };

  byId("text").addEventListener("input", () => change({ text: byId("text").value.toLowerCase() }));
  byId("status").addEventListener("change", () => change({ status: byId("status").value }));
  byId("label").addEventListener("change", () => change({ label: byId("label").value }));
  byId("least").addEventListener("input", () => change({ least: Number(byId("least").value) || 0 }));
  byId("suspicious").addEventListener("change", () => change({ suspicious: byId("suspicious").checked }));
  byId("everything").addEventListener("click", () => {
    for (const id of ["text", "status", "label", "least"]) byId(id).value = "";
    byId("suspicious").checked = false;
    change({ text: "", status: "", label: "", least: 0, suspicious: false, reason: "" });
  });
  byId("back").addEventListener("click", () => { state.from -= AT_ONCE; show(); });
  byId("on").addEventListener("click", () => { state.from += AT_ONCE; show(); });
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const labels = new Set(rows.flatMap((row) => Object.keys(row.labels || {})));
  for (const [name, words] of Object.entries(data.words)) {
    if (labels.has(name)) byId("label").append(element("option", { value: name }, words));
  }
  const reasons = new Map();
  for (const row of rows) if (row.reason && status(row) !== "ok") reasons.set(row.reason, (reasons.get(row.reason) || 0) + 1);
  for (const [reason, number] of [...reasons].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))) {
    const button = element("button", { type: "button" }, `${number} × ${reason}`);
    button.addEventListener("click", () => change({ reason: state.reason === reason ? "" : reason }));
    byId("reasons").append(element("li", {}, button));
  }
  byId("reasons-section").hidden = !reasons.size;
  show();
})();
