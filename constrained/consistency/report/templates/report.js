(() => {
  "use strict";
  const $ = (query, root = document) => root.querySelector(query);
  const $$ = (query, root = document) => [...root.querySelectorAll(query)];
  const data = JSON.parse($("#data").textContent);
  const root = document.documentElement;
  root.classList.add("js");

  const make = (name, attributes = {}, ...inside) => {
    const svg = ["svg", "rect", "line", "text", "path", "title"].includes(name);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...inside);
    return node;
  };
  const percent = (v) => {
    if (v === null) return "–";
    if (v > 0 && v < 0.0005) return "<0.1 %";
    if (v > 0.9995 && v < 1) return ">99.9 %";
    return (100 * v).toFixed((v > 0 && v < 0.0995) || (v >= 0.9905 && v < 1) ? 1 : 0) + " %";
  };
  const points = (v) => (v === null ? "–" : v.toFixed(2));

  // Texts come compressed; they are unpacked when the first panel opens.
  let unpacked = null;
  const texts = () => {
    unpacked ??= (async () => {
      const bytes = Uint8Array.from(atob($("#texts").textContent.trim()), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      return JSON.parse(await new Response(stream).text());
    })().catch(() => ({ items: {}, prompts: {}, written: {}, broken: true }));
    return unpacked;
  };

  // ---- judges and formats: one at a time -------------------------------------------------------
  const showOnly = (nodes, index) => nodes.forEach((node, i) => { node.hidden = i !== index; });
  const judges = $$(".judge");
  const chooseJudge = (index) => {
    closePanel();
    showOnly(judges, index);
    $$("nav a[data-part]").forEach((a) => { a.hash = `#j${index}-${a.dataset.part}`; });
    $$(".choose-judge").forEach((select) => { select.value = index; });
  };
  $$(".choose-judge").forEach((select) => select.addEventListener("change", () => chooseJudge(+select.value)));
  $$("a[data-judge]").forEach((a) => a.addEventListener("click", () => chooseJudge(+a.dataset.judge)));

  // ---- sortable tables -------------------------------------------------------------------------
  const sortValue = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? (cell.dataset.v === "" ? NaN : +cell.dataset.v) : cell.textContent.trim();
  };
  const sortRows = (table, column, down) => {
    const rows = [...table.tBodies[0].rows].map((row) => [sortValue(row, column), row]);
    rows.sort(([a], [b]) => {
      if (typeof a === "string") return (down ? -1 : 1) * a.localeCompare(b, undefined, { numeric: true });
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // unknown comes last
      return down ? b - a : a - b;
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  $$("table.sortable").forEach((table) => $$("th button", table).forEach((button) => {
    button.addEventListener("click", () => {
      const th = button.closest("th");
      const down = th.getAttribute("aria-sort") !== "descending";
      $$("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      sortRows(table, th.cellIndex, down);
    });
  }));

  // ---- heat map --------------------------------------------------------------------------------
  const panel = $("#panel");
  let opened = null;
  const place = (cell) => {
    const grid = cell.closest(".heat");
    return {
      judge: +grid.dataset.judge, map: +grid.dataset.map,
      row: +cell.parentElement.dataset.row, column: +cell.dataset.column,
    };
  };
  const passing = (map, index, mark) => {
    const shares = map.p[index];
    if (!shares) return null;
    const total = shares.reduce((a, b) => a + b, 0);
    return shares.reduce((sum, share, k) => sum + (data.scale[k] >= mark ? share : 0), 0) / total;
  };
  const cellIndex = ({ row, column }) => row * data.prompts.length + column;

  const histogram = (shares, mark) => {
    const width = 400, height = 186, floor = 152;
    const total = shares.reduce((a, b) => a + b, 0), most = Math.max(...shares) / total;
    const step = (width - 8) / shares.length;
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart hist", role: "img" });
    const said = [];
    shares.forEach((share, k) => {
      const part = share / total, tall = (part / most) * 108, x = 4 + step * k;
      const below = mark !== null && data.scale[k] < mark;
      svg.append(make("rect", {
        x: x + 1, y: floor - tall, width: Math.max(step - 2, 1), height: tall, rx: 2, class: below ? "below" : "bar",
      }, make("title", {}, `${data.scale[k]}: ${percent(part)}`)));
      if (part >= 0.005 && step > 26) svg.append(make("text", { x: x + step / 2, y: floor - tall - 5, "text-anchor": "middle" }, percent(part).replace(" ", "\u2009")));
      if (step > 14 || k % Math.ceil(14 / step) === 0) svg.append(make("text", { x: x + step / 2, y: floor + 15, "text-anchor": "middle", class: "tick" }, String(data.scale[k])));
      if (part >= 0.0005) said.push(`${data.scale[k]}: ${percent(part)}`);
    });
    if (mark !== null) {
      const first = data.scale.findIndex((score) => score >= mark);
      const x = 4 + step * (first < 0 ? data.scale.length : first);
      svg.append(make("line", { x1: x, x2: x, y1: 4, y2: floor, class: "marker" }));
      const late = x > width - 90;
      svg.append(make("text", { x: late ? x - 5 : x + 5, y: 13, "text-anchor": late ? "end" : "start", class: "tick" }, `pass mark ${mark}`));
    }
    svg.append(make("text", { x: width / 2, y: height - 3, "text-anchor": "middle", class: "axis" }, "score"));
    svg.setAttribute("aria-label", `distribution of scores: ${said.join(", ")}`);
    return svg;
  };

  const section = (name, content, kind = "text") => {
    const box = make("div", { class: kind, tabindex: "0" });
    box.textContent = content;
    return [make("h3", {}, name), box];
  };

  const openPanel = async (cell, takeFocus) => {
    const where = place(cell), judge = data.judges[where.judge], map = judge.maps[where.map];
    const index = cellIndex(where), mark = marks[where.judge];
    if (opened) opened.classList.remove("open");
    opened = cell;
    cell.classList.add("open");
    const item = data.items[where.row], prompt = data.prompts[where.column];
    $("#panel-title").textContent = item;
    $("#panel-of").textContent = [prompt, judge.maps.length > 1 && map.format, map.order, judge.name].filter(Boolean).join(" · ");
    const body = $("#panel-body");
    body.replaceChildren();
    if (map.mean[index] === null) {
      body.append(make("p", { class: "muted" }, "This cell has no scores."));
    } else {
      const rows = [
        ["Expected score", points(map.mean[index])],
        ["Spread of one draw", map.sd[index] === null ? "unknown: one draw" : `± ${points(map.sd[index])} points (standard deviation)`],
        mark === null ? null : [`Reaches the pass mark ${mark}`, percent(passing(map, index, mark))],
        ["Known from", map.draws[index] < 0 ? "the exact distribution" : `${map.draws[index]} draw${map.draws[index] === 1 ? "" : "s"}`],
        map.removed[index] === null ? null : ["Mass outside the format", percent(map.removed[index])],
        data.gold[where.row] === null ? null : ["Gold score", String(data.gold[where.row])],
      ].filter(Boolean);
      if (map.p[index]) body.append(histogram(map.p[index], mark));
      body.append(make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
    }
    panel.hidden = false;
    document.body.classList.add("aside");
    cell.scrollIntoView({ behavior: "instant", block: "nearest", inline: "nearest" });
    if (takeFocus) $("#panel-close").focus();
    const known = await texts();
    if (opened !== cell) return;
    const written = known.written[`${where.judge} ${where.map} ${where.row} ${where.column}`] || [];
    written.forEach((text, k) => body.append(...section(written.length > 1 ? `What the model wrote (${k + 1})` : "What the model wrote", text)));
    if (prompt in known.prompts) body.append(...section("Prompt", known.prompts[prompt]));
    if (item in known.items) body.append(...section("Item", known.items[item]));
    if (known.broken) body.append(make("p", { class: "muted" }, "The texts could not be unpacked in this browser."));
    panel.dataset.ready = `${where.row} ${where.column}`;
  };
  function closePanel(giveBack = false) {
    if (!opened) return;
    const cell = opened;
    opened = null;
    cell.classList.remove("open");
    panel.hidden = true;
    document.body.classList.remove("aside");
    if (giveBack) cell.focus();
  }
  $("#panel-close").addEventListener("click", () => closePanel(true));

  const visibleRows = (grid) => $$("tbody tr", grid).filter((row) => !row.hidden);
  const neighbour = (cell, key, far) => {
    const rows = visibleRows(cell.closest(".heat"));
    const columns = data.prompts.length;
    let row = rows.indexOf(cell.parentElement), column = +cell.dataset.column;
    if (key === "ArrowLeft") column -= 1;
    else if (key === "ArrowRight") column += 1;
    else if (key === "ArrowUp") row -= 1;
    else if (key === "ArrowDown") row += 1;
    else if (key === "PageUp") row -= 10;
    else if (key === "PageDown") row += 10;
    else if (key === "Home") { column = 0; if (far) row = 0; }
    else if (key === "End") { column = columns - 1; if (far) row = rows.length - 1; }
    else return null;
    row = Math.min(Math.max(row, 0), rows.length - 1);
    column = Math.min(Math.max(column, 0), columns - 1);
    return $$("td.c", rows[row])[column];
  };
  const rove = (cell) => {
    $$('td.c[tabindex="0"]', cell.closest(".heat")).forEach((other) => { other.tabIndex = -1; });
    cell.tabIndex = 0;
  };
  const go = (cell, focus) => {
    rove(cell);
    if (focus) cell.focus();
    else cell.scrollIntoView({ behavior: "instant", block: "nearest", inline: "nearest" });
  };
  $$(".heat").forEach((grid) => {
    grid.addEventListener("click", (event) => {
      const cell = event.target.closest("td.c");
      if (!cell) return;
      go(cell, true);
      openPanel(cell, false);
    });
    grid.addEventListener("keydown", (event) => {
      const cell = event.target.closest("td.c");
      if (!cell) return;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        openPanel(cell, true);
        return;
      }
      const next = neighbour(cell, event.key, event.ctrlKey || event.metaKey);
      if (!next) return;
      event.preventDefault();
      go(next, true);
      if (opened) openPanel(next, false);
    });
  });
  panel.addEventListener("keydown", (event) => {
    if (!opened || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    const next = neighbour(opened, event.key, false);
    go(next, false);
    openPanel(next, false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closePanel(true);
  });

  $$(".judge").forEach((judge) => {
    const maps = $$(".map", judge), tools = $(".heat-tools", judge);
    if (!tools) return;
    const format = $(".choose-map", tools), order = $(".order", tools), find = $(".find", tools), only = $(".only", tools);
    const count = $(".shown", tools);
    const apply = () => {
      const wanted = find.value.trim().toLowerCase();
      let shown = 0;
      maps.forEach((map, m) => {
        const rows = $$("tbody tr", map);
        const keys = { plan: (r) => +r.dataset.row, flaky: (r) => -r.dataset.move, low: (r) => +r.dataset.mean, high: (r) => -r.dataset.mean };
        rows.sort((a, b) => keys[order.value](a) - keys[order.value](b) || a.dataset.row - b.dataset.row);
        map.querySelector("tbody").append(...rows);
        rows.forEach((row) => {
          const named = row.cells[0].textContent.toLowerCase().includes(wanted);
          row.hidden = !(named && (!only.checked || row.classList.contains("sides")));
        });
        const stop = $('td.c[tabindex="0"]', map);
        if (!stop || stop.parentElement.hidden) {
          const first = rows.find((row) => !row.hidden);
          if (first) rove($("td.c", first));
        }
        if (!map.hidden || maps.length === 1) shown = rows.filter((row) => !row.hidden).length;
      });
      count.textContent = `${shown} of ${data.items.length} items`;
    };
    if (format) {
      format.addEventListener("change", () => { closePanel(); showOnly(maps, +format.value); apply(); });
      showOnly(maps, 0);
    }
    [order, only].forEach((control) => control.addEventListener("change", apply));
    find.addEventListener("input", apply);
    judge.addEventListener("marked", apply);
    apply();
  });

  // ---- pass mark -------------------------------------------------------------------------------
  const marks = data.judges.map(() => data.mark);
  const frameOf = (svg) => {
    const [left, right, top, floor] = svg.dataset.frame.split(" ").map(Number);
    const [x0, x1] = svg.dataset.x.split(" ").map(Number), [y0, y1] = svg.dataset.y.split(" ").map(Number);
    const inside = (v) => Math.min(Math.max(v, 0), 1);
    return {
      x: (v) => left + inside((v - x0) / ((x1 - x0) || 1)) * (right - left),
      y: (v) => floor - inside((v - y0) / ((y1 - y0) || 1)) * (floor - top),
    };
  };
  const moveMarker = (svg, value) => {
    const line = $("line.marker", svg), x = frameOf(svg).x(value);
    if (line) { line.setAttribute("x1", x); line.setAttribute("x2", x); }
  };
  const redraw = (svg, name, xs, ys) => {
    const frame = frameOf(svg), path = $(`path[data-line="${name}"]`, svg);
    if (!path) return;
    const steps = xs.map((x, k) => (k ? `H${frame.x(xs[k - 1]).toFixed(2)}V${frame.y(ys[k]).toFixed(2)}H${frame.x(x).toFixed(2)}` : `M${frame.x(x).toFixed(2)} ${frame.y(ys[k]).toFixed(2)}`));
    path.setAttribute("d", steps.join(""));
  };
  judges.forEach((judge, j) => {
    const slider = $("input.mark", judge);
    if (!slider) return;
    const gate = $("input.gate", judge);
    const show = () => {
      const now = data.judges[j].marks[+slider.value];
      marks[j] = now.mark;
      slider.setAttribute("aria-valuetext", `pass mark ${now.mark}`);
      $("output.mark", judge).textContent = now.mark;
      for (const [key, words] of Object.entries(now.shown)) {
        $(`[data-shows="${key}"]`, judge).textContent = words;
      }
      moveMarker($(".flips svg", judge), now.mark);
      const risks = $(".risks svg", judge);
      redraw(risks, "average room", now.rates, now.risk);
      redraw(risks, "safest room", now.rates, now.low);
      redraw(risks, "riskiest room", now.rates, now.high);
      const wanted = +gate.value / 100;
      let k = now.rates.findIndex((rate) => rate >= wanted - 1e-9);
      if (k < 0) k = now.rates.length - 1;
      moveMarker(risks, wanted);
      gate.setAttribute("aria-valuetext", `gate at a pass rate of ${gate.value} %`);
      $("output.gate", judge).textContent = `${gate.value} %`;
      const risk = $('[data-shows="risk"]', judge);
      risk.textContent = percent(now.risk[k]);
      risk.dataset.value = now.risk[k];
      $('[data-shows="risk-range"]', judge).textContent = `rooms: ${percent(now.low[k])} to ${percent(now.high[k])}`;
      $$(".heat", judge).forEach((grid) => {
        const map = data.judges[j].maps[+grid.dataset.map];
        $$("tbody tr", grid).forEach((row) => {
          let above = 0, below = 0; // the most probability that a prompt gives to either side
          $$("td.c", row).forEach((cell) => {
            const pi = passing(map, cellIndex(place(cell)), now.mark);
            cell.classList.toggle("straddle", pi !== null && Math.min(pi, 1 - pi) >= data.straddle);
            if (pi === null) return;
            above = Math.max(above, pi);
            below = Math.max(below, 1 - pi);
          });
          row.classList.toggle("sides", Math.min(above, below) >= data.straddle);
        });
      });
      $$("[data-shows=mark]", judge).forEach((node) => { node.textContent = now.mark; });
      judge.dispatchEvent(new Event("marked"));
      if (opened && opened.closest(".judge") === judge) openPanel(opened, false);
    };
    slider.addEventListener("input", show);
    gate.addEventListener("input", show);
    show();
  });

  $$("button.copy").forEach((button) => button.addEventListener("click", async () => {
    const code = $(button.dataset.of);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected: press Ctrl+C";
    }
  }));
  window.addEventListener("beforeprint", () => closePanel());
  if (judges.length > 1) chooseJudge(0);
})();
