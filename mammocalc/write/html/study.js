// The page of a study: pictures on canvases, findings as SVG on top, one list of what is shown.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const byId = (id) => document.getElementById(id);

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const drawn = (name, attributes = {}, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const colourOf = (label) => data.labels[label].colour;
  const wordsOf = (label) => data.labels[label].words;

  // Every calcification of the page, in the order of hanging, surest first within a view.
  const items = [];
  data.views.forEach((view, number) => {
    if (!view.found) return;
    const inOrder = [...view.found.calcifications].sort((a, b) => b.score - a.score || a.id - b.id);
    for (const found of inOrder) items.push({ number, view, found });
  });
  const place = { length: measureIndex("length_mm"), width: measureIndex("width_mm"), elongation: measureIndex("elongation") };
  function measureIndex(name) { return data.measures.findIndex((measure) => measure.name === name); }
  const measured = (item, which) => item.found.measures[place[which]];

  const state = {
    labels: new Set(items.map((item) => item.found.label)),
    suspicions: new Set(Object.keys(data.suspicions)),
    score: 0,
    outlines: true, clusters: true, tracks: true,
    low: data.window[0], high: data.window[1], inverted: false,
    chosen: null, active: 0, order: null, descending: false, fitted: true,
  };
  const isShown = ({ found }) =>
    state.labels.has(found.label) && state.suspicions.has(found.suspicion) && found.score >= state.score;

  // ---- grey values: CSS filters are one linear map, black at `low` and white at `high`.
  const filterText = () => {
    const { low, high } = state;
    const contrast = (high + low) / (high - low);
    return `brightness(${1 / (high + low)}) contrast(${contrast})${state.inverted ? " invert(1)" : ""}`;
  };

  // The same as pixels: what is printed through a filter is cut at its edges.
  const bake = (canvas) => {
    const copy = element("canvas", { width: canvas.width, height: canvas.height });
    const context = copy.getContext("2d", { alpha: false, willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const image = context.getImageData(0, 0, canvas.width, canvas.height), { data: pixels } = image;
    const table = Uint8ClampedArray.from({ length: 256 }, (_, grey) => {
      const shown = clamp((grey / 255 - state.low) / (state.high - state.low), 0, 1);
      return 255 * (state.inverted ? 1 - shown : shown);
    });
    for (let k = 0; k < pixels.length; k += 4) pixels[k] = pixels[k + 1] = pixels[k + 2] = table[pixels[k]];
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.style.filter = "none";
  };

  // ---- a view
  let printing = false;
  const LARGEST_SCALE = 24;
  const ruler = element("canvas").getContext("2d");
  ruler.font = "12px system-ui, sans-serif";
  const textWidth = (text) => ruler.measureText(text).width;
  const FAR_RADIUS = 7;
  // Where a caption may stand at its point, the first choice first: how much of it lies before, and how far it is lowered.
  const PLACES = [[0, 0], [1, 0], [0, 22], [1, 22], [0.5, -10], [0.5, 30], [0, -18], [1, -18], [0, 40], [1, 40]];
  class Pane {
    constructor(figure, number) {
      this.number = number;
      this.figure = figure;
      this.found = data.views[number].found;
      this.spacing = data.views[number].spacing_mm;
      this.stage = figure.querySelector(".stage");
      this.image = figure.querySelector("img");
      this.canvas = figure.querySelector("canvas");
      this.svg = figure.querySelector("svg");
      this.scale = 1; this.x = 0; this.y = 0; this.waiting = false;
      this.marks = new Map();
      this.build();
    }
    build() {
      const { found, svg } = this;
      this.ground = drawn("g");
      this.captions = drawn("g");
      this.scaleBar = drawn("g");
      svg.append(this.ground, this.captions, this.scaleBar);
      this.texts = [];
      // Captions of a higher rank stay where there is no room for all.
      const caption = (at, text, colour, kind, rank) => {
        const made = drawn("text", { fill: colour, class: kind }, text);
        this.captions.append(made);
        this.texts.push({ made, at, rank, width: textWidth(text) });
        return made;
      };
      this.clusters = found.clusters.map((cluster) => {
        const heavy = cluster.suspicion === "suspicious" ? " suspicious" : "";
        const path = drawn("path", { d: cluster.path, class: `cluster${heavy}`, stroke: data.clusterColour });
        this.ground.append(path);
        return { id: cluster.id, drawn: [path, caption(cluster.at, cluster.caption, data.clusterColour, "cluster-caption", heavy ? 0 : 1)] };
      });
      this.tracks = found.tracks.map((track) => {
        const path = drawn("path", { d: track.path, class: "track", stroke: colourOf(track.label) });
        this.ground.append(path);
        return { id: track.id, drawn: [path, caption(track.at, track.caption, "#e6e6e6", "track-caption", 3)] };
      });
      if (found.nipple) caption(found.nipple, "nipple", data.nippleColour, "nipple", 2);
      this.texts.sort((a, b) => a.rank - b.rank);
      for (const item of items.filter((one) => one.number === this.number)) {
        const { found: speck } = item;
        const heavy = speck.suspicion === "suspicious" ? " suspicious" : "";
        const group = drawn("g", { class: `mark${heavy}`, stroke: colourOf(speck.label), "data-id": speck.id });
        group.append(
          drawn("path", { d: speck.path, class: heavy.trim() }),
          drawn("circle", { cx: speck.at[0], cy: speck.at[1], class: heavy.trim() }),
        );
        this.ground.append(group);
        this.marks.set(item, group);
      }
      this.ring = drawn("circle", { class: "chosen", hidden: "" });
      this.ground.append(this.ring);
    }
    get size() { return [this.stage.clientWidth, this.stage.clientHeight]; }
    fittingScale() {
      const [width, height] = this.size;
      return Math.min(width / this.found.width, height / this.found.height);
    }
    // Chest wall at the inner side, so that both breasts stand back to back; one that has no other stands in the middle.
    fit(scale) {
      const [width, height] = this.size;
      const free = width - this.found.width * scale;
      this.scale = scale;
      const alone = this.figure.parentElement.childElementCount === 1;
      this.x = alone ? free / 2 : data.views[this.number].side === "left" ? free : 0;
      this.y = (height - this.found.height * scale) / 2;
      this.draw();
    }
    zoom(factor, at) {
      const [width, height] = this.size;
      const [x, y] = at || [width / 2, height / 2];
      const scale = clamp(this.scale * factor, 0.02, LARGEST_SCALE);
      this.x = x - ((x - this.x) * scale) / this.scale;
      this.y = y - ((y - this.y) * scale) / this.scale;
      this.scale = scale;
      state.fitted = false;
      this.keepInside();
      this.draw();
    }
    move(dx, dy) {
      this.x += dx; this.y += dy;
      state.fitted = false;
      this.keepInside();
      this.draw();
    }
    keepInside() {
      const [width, height] = this.size;
      this.x = clamp(this.x, 60 - this.found.width * this.scale, width - 60);
      this.y = clamp(this.y, 60 - this.found.height * this.scale, height - 60);
    }
    centreOn(item, scale) {
      const [width, height] = this.size;
      this.scale = scale;
      state.fitted = false;
      this.x = width / 2 - item.found.at[0] * scale;
      this.y = height / 2 - item.found.at[1] * scale;
      this.draw();
    }
    // What is in the middle stays there when the room for it changes.
    resize() {
      const [width, height] = this.size;
      if (!width || !this.drawnSize) return;
      this.x += (width - this.drawnSize[0]) / 2;
      this.y += (height - this.drawnSize[1]) / 2;
      this.draw();
    }
    isInSight(item) {
      const [width, height] = this.size;
      const x = this.x + item.found.at[0] * this.scale, y = this.y + item.found.at[1] * this.scale;
      return x > 0 && y > 0 && x < width && y < height;
    }
    nearest([x, y], reach) {
      let best = null, least = reach;
      for (const item of this.marks.keys()) {
        if (!isShown(item)) continue;
        const [left, top, right, bottom] = item.found.box;
        const dx = Math.max(this.x + left * this.scale - x, x - this.x - right * this.scale, 0);
        const dy = Math.max(this.y + top * this.scale - y, y - this.y - bottom * this.scale, 0);
        const distance = Math.hypot(dx, dy);
        if (distance < least) { least = distance; best = item; }
      }
      return best;
    }
    draw() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => { this.waiting = false; if (!printing) this.drawNow(); });
    }
    drawNow(density = window.devicePixelRatio || 1) {
      const [width, height] = this.size;
      if (!width || !height) return;
      const { canvas, scale, x, y } = this;
      this.drawnSize = [width, height];
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
      canvas.style.filter = filterText();
      const context = canvas.getContext("2d", { alpha: false });
      context.imageSmoothingEnabled = scale < 4;
      context.imageSmoothingQuality = "high";
      const left = clamp(Math.floor(-x / scale), 0, this.found.width), top = clamp(Math.floor(-y / scale), 0, this.found.height);
      const right = clamp(Math.ceil((width - x) / scale), 0, this.found.width);
      const bottom = clamp(Math.ceil((height - y) / scale), 0, this.found.height);
      context.setTransform(density, 0, 0, density, 0, 0);
      if (this.image.complete && this.image.naturalWidth && right > left && bottom > top) {
        context.drawImage(this.image, left, top, right - left, bottom - top,
          x + left * scale, y + top * scale, (right - left) * scale, (bottom - top) * scale);
      }
      this.ground.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
      for (const [item, group] of this.marks) {
        const [l, t, r, b] = item.found.box;
        const near = (Math.max(r - l, b - t) * scale) / 2 > FAR_RADIUS;
        group.classList.toggle("near", near);
        if (!near) group.lastChild.setAttribute("r", FAR_RADIUS / scale);
      }
      this.placeCaptions(width, height);
      this.drawChosen();
      this.drawScaleBar(width, height);
    }
    placeCaptions(width, height) {
      const taken = [], marks = this.marksInSight(width, height);
      const covered = ([left, top, right, bottom], least) => {
        let count = 0;
        for (const [l, t, r, b] of marks) {
          if (left < r && l < right && top < b && t < bottom && ++count >= least) break;
        }
        return count;
      };
      for (const { made, at, rank, width: long } of this.texts) {
        const across = this.x + at[0] * this.scale, down = this.y + at[1] * this.scale;
        const inSight = across > -20 && across < width + 20 && down > -20 && down < height + 20;
        let best = null, least = rank > 1 ? 1 : Infinity;
        for (const [aside, below] of inSight && !made.hasAttribute("hidden") ? PLACES : []) {
          const left = clamp(across + 4 - aside * (long + 8), 2, Math.max(width - long - 2, 2)), base = clamp(down - 6 + below, 12, height - 4);
          const box = [left - 2, base - 12, left + long + 2, base + 4];
          if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
          const count = covered(box, least);
          if (count < least) { least = count; best = { box, left, base }; }
          if (!count) break;
        }
        if (best) {
          taken.push(best.box);
          made.setAttribute("x", best.left);
          made.setAttribute("y", best.base);
        }
        made.setAttribute("visibility", best ? "visible" : "hidden");
      }
    }
    marksInSight(width, height) {
      const boxes = [];
      for (const [item, group] of this.marks) {
        if (group.hasAttribute("hidden")) continue;
        const [l, t, r, b] = item.found.box, far = group.classList.contains("near") ? 0 : FAR_RADIUS;
        const x = this.x + ((l + r) / 2) * this.scale, y = this.y + ((t + b) / 2) * this.scale;
        const across = far || ((r - l) / 2) * this.scale, down = far || ((b - t) / 2) * this.scale;
        if (x + across > 0 && y + down > 0 && x - across < width && y - down < height) boxes.push([x - across, y - down, x + across, y + down]);
      }
      return boxes;
    }
    drawChosen() {
      const item = state.chosen;
      const here = item && item.number === this.number;
      this.ring.toggleAttribute("hidden", !here);
      if (!here) return;
      const [l, t, r, b] = item.found.box;
      this.ring.setAttribute("cx", (l + r) / 2);
      this.ring.setAttribute("cy", (t + b) / 2);
      this.ring.setAttribute("r", Math.hypot(r - l, b - t) / 2 + 12 / this.scale);
    }
    drawScaleBar(width, height) {
      const onScreen = (mm) => (mm / this.spacing) * this.scale;
      const mm = [100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1].find((length) => onScreen(length) <= width / 4) || 0.1;
      const left = 12, right = 12 + onScreen(mm), y = height - 14;
      this.scaleBar.replaceChildren(
        drawn("path", { d: `M${left} ${y - 5}V${y}H${right}V${y - 5}`, class: "bar-line" }),
        drawn("text", { x: left, y: y - 9, fill: "#e6e6e6" }, `${mm} mm · ${Math.round(this.scale * 100)} %`),
      );
    }
    filter() {
      for (const [item, group] of this.marks) group.toggleAttribute("hidden", !state.outlines || !isShown(item));
      // A cluster or track of which no member is shown is not shown either.
      for (const [groups, key, on] of [[this.clusters, "cluster", state.clusters], [this.tracks, "track", state.tracks]]) {
        const alive = new Set([...this.marks.keys()].filter(isShown).map((item) => item.found[key]));
        for (const { id, drawn } of groups) for (const made of drawn) made.toggleAttribute("hidden", !on || !alive.has(id));
      }
      this.draw();
    }
  }

  const panes = [...document.querySelectorAll(".pane")]
    .filter((figure) => figure.querySelector(".stage"))
    .map((figure) => new Pane(figure, Number(figure.dataset.view)));
  const paneOf = (number) => panes.find((pane) => pane.number === number);
  const visiblePanes = () => panes.filter((pane) => pane.stage.clientWidth > 0);

  // All views at one magnification in mm.
  const fitAll = () => {
    const seen = visiblePanes();
    if (!seen.length) return;
    const perMm = Math.min(...seen.map((pane) => pane.fittingScale() / pane.spacing));
    for (const pane of seen) pane.fit(perMm * pane.spacing);
    state.fitted = true;
  };

  // ---- window and level
  const showWindow = () => {
    byId("window-width").value = state.high - state.low;
    byId("window-level").value = (state.high + state.low) / 2;
    for (const pane of panes) pane.canvas.style.filter = filterText();
    const crop = document.querySelector(".crop canvas");
    if (crop) crop.style.filter = filterText();
  };
  const setWindow = (width, level) => {
    const span = clamp(width, 0.02, 1), middle = clamp(level, 0, 1);
    state.low = Math.max(middle - span / 2, -middle + 0.001);
    state.high = middle + span / 2;
    showWindow();
  };
  const changeWindow = (dWidth, dLevel) =>
    setWindow(state.high - state.low + dWidth, (state.high + state.low) / 2 + dLevel);
  const resetWindow = () => { [state.low, state.high] = data.window; showWindow(); };
  const invert = () => {
    state.inverted = !state.inverted;
    byId("invert").setAttribute("aria-pressed", state.inverted);
    showWindow();
  };

  // ---- pointers
  for (const pane of panes) {
    const { stage } = pane;
    const pointers = new Map();
    let moved = 0, windowing = false;
    const at = (event) => {
      const box = stage.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("pointerdown", (event) => {
      state.active = pane.number;
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at(event));
      moved = 0;
      windowing = event.button === 2 || event.shiftKey || byId("drag-window").checked;
      stage.classList.add(windowing ? "windowing" : "dragging");
    });
    stage.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = at(event), dx = now[0] - before[0], dy = now[1] - before[1];
      moved += Math.abs(dx) + Math.abs(dy);
      const other = [...pointers].find(([id]) => id !== event.pointerId);
      pointers.set(event.pointerId, now);
      if (other) {
        const [ox, oy] = other[1];
        const far = Math.hypot(before[0] - ox, before[1] - oy), near = Math.hypot(now[0] - ox, now[1] - oy);
        if (far > 0) pane.zoom(near / far, [(now[0] + ox) / 2, (now[1] + oy) / 2]);
      } else if (windowing) changeWindow(dx / 600, -dy / 600);
      else pane.move(dx, dy);
    });
    const end = (event) => {
      pointers.delete(event.pointerId);
      stage.classList.remove("windowing", "dragging");
    };
    stage.addEventListener("pointerup", (event) => {
      if (pointers.size === 1 && moved < 5 && event.button === 0) choose(pane.nearest(at(event), 12), { keepView: true });
      end(event);
    });
    stage.addEventListener("pointercancel", end);
    stage.addEventListener("dblclick", (event) => pane.zoom(pane.scale < 1 ? 1 / pane.scale : 2, at(event)));
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      pane.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), at(event));
    }, { passive: false });
    stage.addEventListener("focus", () => { state.active = pane.number; });
    if (!pane.image.complete) pane.image.addEventListener("load", () => pane.draw());
    pane.figure.querySelector(".large").addEventListener("click", () => enlarge(pane));
  }

  const enlarge = (pane) => {
    const on = !pane.figure.classList.contains("enlarged");
    for (const other of document.querySelectorAll(".enlarged")) other.classList.remove("enlarged");
    byId("hanging").classList.toggle("one", on);
    for (const other of panes) {
      const button = other.figure.querySelector(".large");
      button.setAttribute("aria-pressed", on && other === pane);
      button.textContent = on && other === pane ? "All views" : "Enlarge";
    }
    state.active = pane.number;
    if (on) { pane.figure.classList.add("enlarged"); pane.figure.parentElement.classList.add("enlarged"); }
    fitAll();
  };

  // ---- choosing
  const shownItems = () => sorted(items.filter(isShown));
  function choose(item, { keepView = false, keepSide = false } = {}) {
    state.chosen = item;
    if (item) {
      const pane = paneOf(item.number);
      state.active = item.number;
      const hanging = byId("hanging");
      if (hanging.classList.contains("one") && !pane.figure.classList.contains("enlarged")) enlarge(pane);
      if (!keepView && !pane.isInSight(item)) pane.centreOn(item, pane.scale);
    }
    for (const pane of panes) pane.drawChosen();
    showDetail();
    showPlot();
    markRow();
    if (!keepSide) showSide();
  }
  // What was found out about the chosen one is seen at once; with none chosen, the filters are.
  const showSide = () => {
    const side = byId("side");
    side.scrollTop = state.chosen ? byId("detail").parentElement.offsetTop - 8 : 0;
  };
  const step = (by) => {
    const shown = shownItems();
    if (!shown.length) return;
    const now = shown.indexOf(state.chosen);
    choose(shown[now < 0 ? (by > 0 ? 0 : shown.length - 1) : (now + by + shown.length) % shown.length]);
  };
  const goTo = () => {
    if (!state.chosen) return;
    const pane = paneOf(state.chosen.number);
    const [l, t, r, b] = state.chosen.found.box;
    const [width, height] = pane.size;
    pane.centreOn(state.chosen, clamp((0.25 * Math.min(width, height)) / Math.max(r - l, b - t, 1), 1, 4));
  };

  // ---- detail
  const CROP_SCALE = 10;
  const figure = (value) => String(Number(value.toPrecision(3)));
  const unitWords = (unit) => ({ mm2: "mm²", deg: "°" })[unit] || unit;
  const readable = (name) => name.replace(/_(mm2|mm|deg)$/, "").replace(/_/g, " ");
  const textOf = (item, number) => item.view.found.texts[number];

  function showDetail() {
    const box = byId("detail"), item = state.chosen;
    box.replaceChildren();
    if (!item) {
      box.append(element("p", {}, items.length ? "Click a calcification, or press n." : "No calcifications found."));
      return;
    }
    const { found, view } = item, { why } = found;
    const chip = chipOf(found.label);
    box.append(
      element("h3", {}, chip, ` ${wordsOf(found.label)}, ${data.suspicions[found.suspicion]}`),
      element("p", {}, `Calcification ${found.id}, ${view.name}; row ${found.row}, column ${found.col}; score ${found.score}` +
        (found.cluster ? `; cluster ${found.cluster}` : "") + (found.track ? `; track ${found.track}` : "")),
      crop(item),
    );
    const list = element("dl");
    data.measures.forEach((measure, k) => {
      if (found.measures[k] === null) return;
      list.append(
        element("dt", { title: measure.meaning }, readable(measure.name)),
        element("dd", {}, `${figure(found.measures[k])} ${unitWords(measure.unit)}`.trim()),
      );
    });
    box.append(element("h3", {}, "Measured"), list, element("h3", {}, "Why"));
    box.append(element("p", {}, `By the rule ${textOf(item, why.rule)}: ${textOf(item, why.reason)}`));
    if (!why.conditions) {
      box.append(element("p", { class: "source" }, "The conditions are told of the surest calcifications of an image; mammocalc explain tells them of all."));
      return;
    }
    if (why.conditions.length) box.append(element("pre", {}, why.conditions.join("\n")));
    if (why.by) box.append(element("p", {}, `Decided by ${why.by}.`));
    box.append(element("p", {}, why.next ? `Next in line: ${why.next}.` : "No other label is near."));
    for (const source of why.sources) box.append(element("p", { class: "source" }, textOf(item, source)));
    if (why.tried.length) {
      const tried = element("ol");
      for (const [rule, subject, value, needed] of why.tried) {
        tried.append(element("li", {}, `${textOf(item, rule)}: ${textOf(item, subject)} is ${value}, needed ${textOf(item, needed)}`));
      }
      box.append(element("details", {}, element("summary", {}, `${why.tried.length === 1 ? "One rule" : `${why.tried.length} rules`} tried before, none met`), tried));
    }
  }

  function crop(item) {
    const pane = paneOf(item.number), [l, t, r, b] = item.found.box;
    const box = element("div", { class: "crop", role: "img", "aria-label": "magnified detail" });
    const side = byId("detail").clientWidth || 360, density = 2;
    // Ten times, or what the whole calcification fits into.
    const scale = Math.min(CROP_SCALE, (0.8 * side) / Math.max(r - l, b - t, 1));
    const x = side / 2 - ((l + r) / 2) * scale, y = side / 2 - ((t + b) / 2) * scale;
    const canvas = element("canvas", { width: side * density, height: side * density });
    const context = canvas.getContext("2d", { alpha: false });
    context.imageSmoothingQuality = "high";
    context.setTransform(density, 0, 0, density, 0, 0);
    const left = Math.floor(-x / scale), top = Math.floor(-y / scale), span = Math.ceil(side / scale) + 1;
    if (pane.image.complete && pane.image.naturalWidth) {
      context.drawImage(pane.image, left, top, span, span, x + left * scale, y + top * scale, span * scale, span * scale);
    }
    canvas.style.filter = filterText();
    const marks = drawn("svg", { class: "marks", viewBox: `0 0 ${side} ${side}` });
    const ground = drawn("g", { transform: `translate(${x} ${y}) scale(${scale})` });
    ground.append(drawn("path", { d: item.found.path, stroke: colourOf(item.found.label) }));
    const spacing = item.view.spacing_mm;
    const mm = [10, 5, 2, 1, 0.5, 0.2].find((length) => (length / spacing) * scale <= side / 3) || 0.2;
    const length = (mm / spacing) * scale;
    marks.append(
      ground,
      drawn("path", { d: `M12 ${side - 17}V${side - 12}H${12 + length}V${side - 17}`, class: "bar-line" }),
      drawn("text", { x: 12, y: side - 22, fill: "#e6e6e6" }, `${mm} mm · ${scale < CROP_SCALE ? scale.toFixed(1) : CROP_SCALE}×`),
    );
    box.append(canvas, marks);
    return box;
  }

  // ---- length and elongation
  const AXES = { left: 38, right: 330, top: 12, bottom: 214 };
  const span = (values, least, most) => {
    const known = values.filter((value) => value > 0);
    return [Math.min(least, ...known) * 0.95, Math.max(most, ...known) * 1.05];
  };
  const lengths = span(items.map((item) => measured(item, "length")), 0.1, 2);
  const elongations = span(items.map((item) => measured(item, "elongation")), 1, 5);
  const onAxis = (value, [low, high], from, to) => from + ((Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (to - from);
  const spotOf = (item) => {
    const length = measured(item, "length"), elongation = measured(item, "elongation");
    if (!(length > 0) || !(elongation > 0)) return null;
    return [onAxis(length, lengths, AXES.left, AXES.right), onAxis(elongation, elongations, AXES.bottom, AXES.top)];
  };
  function showPlot() {
    const plot = byId("plot");
    plot.replaceChildren();
    for (const mm of [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]) {
      if (mm < lengths[0] || mm > lengths[1]) continue;
      const x = onAxis(mm, lengths, AXES.left, AXES.right);
      plot.append(drawn("path", { d: `M${x} ${AXES.top}V${AXES.bottom}`, class: "grid" }),
        drawn("text", { x, y: AXES.bottom + 13, "text-anchor": "middle" }, mm));
    }
    for (const value of [1, 2, 3, 5, 10, 20, 50]) {
      if (value < elongations[0] || value > elongations[1]) continue;
      const y = onAxis(value, elongations, AXES.bottom, AXES.top);
      plot.append(drawn("path", { d: `M${AXES.left} ${y}H${AXES.right}`, class: "grid" }),
        drawn("text", { x: AXES.left - 5, y: y + 3, "text-anchor": "end" }, value));
    }
    plot.append(
      drawn("text", { x: AXES.right, y: AXES.bottom + 28, "text-anchor": "end" }, "length, mm"),
      drawn("text", { x: 4, y: AXES.bottom + 28 }, "elongation ↑"),
      drawn("path", { d: `M${AXES.left} ${AXES.top}V${AXES.bottom}H${AXES.right}`, class: "axis", fill: "none" }),
    );
    for (const item of items) {
      const spot = spotOf(item);
      if (!spot || !isShown(item)) continue;
      const suspicious = item.found.suspicion === "suspicious";
      const [x, y] = spot;
      plot.append(suspicious
        ? drawn("path", { d: `M${x} ${y - 4.5}L${x + 4.5} ${y}L${x} ${y + 4.5}L${x - 4.5} ${y}Z`, fill: colourOf(item.found.label), class: "spot" })
        : drawn("circle", { cx: x, cy: y, r: 3, fill: colourOf(item.found.label), class: "spot" }));
      if (item === state.chosen) plot.append(drawn("circle", { cx: x, cy: y, r: 8, class: "chosen" }));
    }
  }
  byId("plot").addEventListener("click", (event) => {
    const box = byId("plot").getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 340, y = ((event.clientY - box.top) / box.height) * 250;
    let best = null, least = 14;
    for (const item of items) {
      const spot = isShown(item) && spotOf(item);
      const distance = spot ? Math.hypot(spot[0] - x, spot[1] - y) : Infinity;
      if (distance < least) { least = distance; best = item; }
    }
    choose(best, { keepSide: true });
  });

  // ---- list
  const rank = (suspicion) => Object.keys(data.suspicions).indexOf(suspicion);
  const COLUMNS = [
    { title: "view", value: (item) => item.view.name },
    { title: "number", value: (item) => item.found.id, number: true },
    { title: "label", value: (item) => wordsOf(item.found.label), chip: true },
    { title: "suspicion", value: (item) => data.suspicions[item.found.suspicion], key: (item) => rank(item.found.suspicion) },
    { title: "length, mm", value: (item) => measured(item, "length"), number: true, digits: 2 },
    { title: "width, mm", value: (item) => measured(item, "width"), number: true, digits: 2 },
    { title: "elongation", value: (item) => measured(item, "elongation"), number: true, digits: 1 },
    { title: "cluster", value: (item) => item.found.cluster || null, number: true },
    { title: "track", value: (item) => item.found.track || null, number: true },
    { title: "score", value: (item) => item.found.score, number: true, digits: 2 },
    { title: "rule", value: (item) => textOf(item, item.found.why.rule) },
  ];
  function sorted(list) {
    if (state.order === null) return list;
    const column = COLUMNS[state.order], key = column.key || column.value, sign = state.descending ? -1 : 1;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b);
    return list.map((item, k) => [item, k]).sort(([a, i], [b, j]) => {
      const left = key(a), right = key(b);
      if (left === null || right === null) return (left === null) - (right === null) || i - j;
      return sign * compare(left, right) || i - j;
    }).map(([item]) => item);
  }
  const rows = new Map();
  function showList() {
    const head = element("tr");
    COLUMNS.forEach((column, k) => {
      const button = element("button", { type: "button" }, column.title + (state.order === k ? (state.descending ? " ↓" : " ↑") : ""));
      button.addEventListener("click", () => {
        if (state.order === k && state.descending) { state.order = null; state.descending = false; }
        else { state.descending = state.order === k; state.order = k; }
        showList();
        byId("list").tHead.rows[0].cells[k].firstChild.focus();
      });
      head.append(element("th", {
        ...(column.number ? { class: "number" } : {}),
        "aria-sort": state.order !== k ? "none" : state.descending ? "descending" : "ascending",
      }, button));
    });
    byId("list").tHead.replaceChildren(head);
    rows.clear();
    const body = document.createDocumentFragment();
    for (const item of shownItems()) {
      const row = element("tr");
      COLUMNS.forEach((column, k) => {
        const value = column.value(item);
        const cell = element("td", column.number ? { class: "number" } : {});
        if (k === 1) cell.append(element("button", { type: "button" }, String(value)));
        else cell.append(...(column.chip ? [chipOf(item.found.label), " "] : []), value === null ? "" : "digits" in column ? value.toFixed(column.digits) : String(value));
        row.append(cell);
      });
      row.addEventListener("click", () => choose(item));
      rows.set(item, row);
      body.append(row);
    }
    byId("list").tBodies[0].replaceChildren(body);
    markRow();
  }
  function markRow() {
    for (const [item, row] of rows) row.classList.toggle("chosen", item === state.chosen);
    const row = rows.get(state.chosen);
    const scroller = document.querySelector(".scroller");
    if (row && (row.offsetTop < scroller.scrollTop + 30 || row.offsetTop > scroller.scrollTop + scroller.clientHeight - 30)) {
      scroller.scrollTop = row.offsetTop - scroller.clientHeight / 2;
    }
  }

  // ---- filters
  function chipOf(label) {
    const inner = element("i"), chip = element("span", { class: "chip", "aria-hidden": "true" }, inner);
    inner.style.background = colourOf(label);
    return chip;
  }
  const refresh = () => {
    for (const pane of panes) pane.filter();
    const shown = items.filter(isShown).length;
    byId("shown-count").textContent = `${shown} of ${items.length} calcifications shown`;
    if (state.chosen && !isShown(state.chosen)) choose(null, { keepSide: true });
    showPlot();
    showList();
  };
  const count = (key, value) => items.filter((item) => item.found[key] === value).length;
  const boxes = (parent, names, chosen, word, key, withChip) => {
    for (const name of names) {
      const box = element("input", { type: "checkbox", value: name, checked: "" });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(name); else chosen.delete(name);
        refresh();
      });
      parent.append(element("label", {}, box, ...(withChip ? [chipOf(name)] : []), element("span", {}, `${word(name)} (${count(key, name)})`)));
    }
  };
  boxes(byId("suspicions"), Object.keys(data.suspicions), state.suspicions, (name) => data.suspicions[name], "suspicion", false);
  boxes(byId("labels"), Object.keys(data.labels).filter((name) => count("label", name)), state.labels, wordsOf, "label", true);
  const setLabels = (on) => {
    for (const box of byId("labels").querySelectorAll("input")) {
      box.checked = on;
      if (on) state.labels.add(box.value); else state.labels.delete(box.value);
    }
    refresh();
  };
  byId("all-labels").addEventListener("click", () => setLabels(true));
  byId("no-labels").addEventListener("click", () => setLabels(false));
  byId("score").addEventListener("input", () => {
    state.score = Number(byId("score").value);
    byId("score-value").textContent = state.score.toFixed(2);
    refresh();
  });
  const DRAWN = { outlines: "draw-outlines", clusters: "draw-clusters", tracks: "draw-tracks" };
  for (const [what, id] of Object.entries(DRAWN)) {
    byId(id).addEventListener("change", () => { state[what] = byId(id).checked; refresh(); });
  }
  const toggle = (what) => { byId(DRAWN[what]).click(); };
  for (const id of ["window-width", "window-level"]) {
    byId(id).addEventListener("input", () => setWindow(Number(byId("window-width").value), Number(byId("window-level").value)));
  }

  // ---- buttons and keys
  const theme = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  const help = byId("help");
  const BUTTONS = {
    previous: () => step(-1), next: () => step(1), "go-to": goTo, fit: fitAll, "window-reset": resetWindow, invert,
    theme, print: () => window.print(), "help-button": () => help.showModal(), "help-close": () => help.close(),
  };
  for (const [id, act] of Object.entries(BUTTONS)) byId(id).addEventListener("click", act);

  const active = () => paneOf(state.active) || panes[0];
  const KEYS = {
    n: () => step(1), p: () => step(-1), Enter: goTo,
    ArrowLeft: () => active().move(60, 0), ArrowRight: () => active().move(-60, 0),
    ArrowUp: () => active().move(0, 60), ArrowDown: () => active().move(0, -60),
    "+": () => active().zoom(1.25), "=": () => active().zoom(1.25), "-": () => active().zoom(0.8),
    0: fitAll, 1: () => active().zoom(1 / active().scale),
    o: () => toggle("outlines"), c: () => toggle("clusters"), t: () => toggle("tracks"),
    "[": () => changeWindow(-0.04, 0), "]": () => changeWindow(0.04, 0),
    ",": () => changeWindow(0, -0.02), ".": () => changeWindow(0, 0.02),
    r: resetWindow, i: invert, f: () => enlarge(active()), d: theme, Escape: () => choose(null),
    "?": () => help.showModal(),
  };
  const NEED_VIEW = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "=", "-", "1", "f"]);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const { target, key } = event;
    const typing = target.matches("input[type=range], input[type=radio]") && key.startsWith("Arrow");
    const pressing = key === "Enter" && target.matches("button, summary, a, input");
    // Outside a view, arrows scroll the page.
    const scrolling = key.startsWith("Arrow") && !target.closest(".stage") && target !== document.body;
    const act = Object.hasOwn(KEYS, key) ? KEYS[key] : null;
    if (!act || typing || pressing || scrolling || (NEED_VIEW.has(key) && !panes.length)) return;
    event.preventDefault();
    act();
  });

  // ---- size and print
  new ResizeObserver(() => {
    if (printing) return;
    if (state.fitted) fitAll(); else for (const pane of panes) pane.resize();
  }).observe(byId("hanging"));
  let before = [];
  window.addEventListener("beforeprint", () => {
    before = [state.fitted, panes.map(({ scale, x, y }) => ({ scale, x, y }))];
    printing = true;
    document.documentElement.classList.add("printing");
    fitAll();
    for (const pane of visiblePanes()) {
      pane.drawNow(3);
      bake(pane.canvas);
    }
    const crop = document.querySelector(".crop canvas");
    if (crop) bake(crop);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    document.documentElement.classList.remove("printing");
    const [wasFitted, places] = before;
    panes.forEach((pane, k) => { Object.assign(pane, places[k]); pane.drawnSize = null; pane.draw(); });
    state.fitted = wasFitted;
    if (wasFitted) fitAll();
    showDetail();
  });

  refresh();
  showDetail();
  showWindow();
  fitAll();
})();
