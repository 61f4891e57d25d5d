// Draws the report from the data beside it. Text from outside only ever becomes text nodes.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const byId = (id) => document.getElementById(id);
  const make = (name, text, className) => {
    const node = document.createElement(name);
    if (text !== undefined && text !== null) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  const show = (id) => { const node = byId(id); node.hidden = false; return node; };

  const plain = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const number = (value) => {
    const size = Math.abs(value);
    if (size >= 1e12 || (size > 0 && size < 1e-6)) return value.toExponential(3);
    return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 2 : size >= 1 ? 3 : 6 });
  };
  // As many digits as the account's worth asks for, the same in every row.
  const begin = data.equity.length ? data.equity[0][1] : 0;
  const digits = begin >= 1000 ? 2 : begin >= 10 ? 4 : 8;
  const money = (value) => {
    if (value === null || value === undefined) return "none";
    const isLost = value !== 0 && Math.abs(value) < Math.pow(10, -digits);
    return isLost ? number(value) : plain(value, digits);
  };
  const format = (value, unit) => {
    if (value === null || value === undefined) return "none";
    switch (unit) {
      case "quote": return money(value) + " " + data.quote;
      case "share": return plain(value * 100, 2) + " %";
      case "percent": return plain(value, 2) + " %";
      case "hours": return value >= 48 ? plain(value / 24, 1) + " d" : plain(value, 1) + " h";
      case "count": return plain(value, 0);
      default: return number(value);
    }
  };
  const time = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const sign = (value) => (value > 0 ? "good" : value < 0 ? "bad" : "");

  const table = (caption, head, rows, className) => {
    const node = make("table", null, className);
    const title = make("caption", caption);
    title.style.cssText = "position:absolute;clip-path:inset(50%)";
    node.append(title);
    const line = make("tr");
    const isText = (place) => { const first = rows.length && rows[0][place]; return first instanceof Node && /text|wrap/.test(first.className); };
    head.forEach((text, place) => { const cell = make("th", text, isText(place) ? "text" : ""); cell.scope = "col"; line.append(cell); });
    const top = make("thead");
    top.append(line);
    const body = make("tbody");
    rows.forEach((row) => {
      const line = make("tr");
      row.forEach((cell) => line.append(cell instanceof Node ? cell : make("td", cell)));
      body.append(line);
    });
    node.append(top, body);
    return node;
  };
  const cell = (text, className) => make("td", text, className);

  const heading = () => {
    byId("subtitle").textContent = data.subtitle;
    data.notes.forEach((note) => byId("notes").append(make("li", note)));
  };

  const figures = () => {
    const wanted = ["profit", "total_return", "hold_return", "drawdown_pct", "deals", "win_rate", "sharpe", "fees"];
    const cards = byId("summary").querySelector("dl");
    const coloured = new Set(["profit", "total_return", "alpha", "unrealised"]);
    wanted.forEach((key) => {
      const metric = data.metrics.find((metric) => metric.key === key);
      if (!metric) return;
      const card = make("div");
      card.append(make("dt", metric.name), make("dd", format(metric.value, metric.unit), coloured.has(key) ? sign(metric.value) : ""));
      cards.append(card);
    });
    const grid = byId("metrics").querySelector(".grid");
    data.metrics.forEach((metric) => {
      const row = make("div", null, "figure");
      const name = make("button", metric.name);
      name.type = "button";
      const tip = make("span", metric.formula, "tip");
      tip.id = "formula-" + metric.key;
      tip.setAttribute("role", "tooltip");
      name.setAttribute("aria-describedby", tip.id);
      name.addEventListener("keydown", (event) => { if (event.key === "Escape") name.blur(); });
      row.append(name, tip, make("span", format(metric.value, metric.unit), "value " + (coloured.has(metric.key) ? sign(metric.value) : "")));
      grid.append(row);
    });
  };

  const charts = [];
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue("--" + name).trim();
    return { ground: of("card"), ink: of("soft"), line: of("line"), accent: of("accent"), good: of("good"), bad: of("bad") };
  };
  const chart = (id) => {
    const place = byId(id).querySelector(".chart");
    const made = LightweightCharts.createChart(place, { autoSize: true, localization: { locale: "en" }, timeScale: { timeVisible: true, secondsVisible: false, minBarSpacing: 0.001 } });
    charts.push(made);
    // The size is known only after the page is laid out.
    new ResizeObserver(() => made.timeScale().fitContent()).observe(place);
    return made;
  };
  const paint = () => {
    const colour = colours();
    charts.forEach((made) => made.applyOptions({
      layout: { background: { color: colour.ground }, textColor: colour.ink, panes: { separatorColor: colour.line } },
      grid: { vertLines: { color: colour.line }, horzLines: { color: colour.line } },
      rightPriceScale: { borderColor: colour.line },
      timeScale: { borderColor: colour.line },
    }));
    repaint.forEach((each) => each(colour));
  };
  const repaint = [];

  const equity = () => {
    if (data.equity.length < 2) return;
    show("equity");
    const first = data.equity[0][1], last = data.equity[data.equity.length - 1][1];
    const metric = data.metrics.find((metric) => metric.key === "drawdown_pct");
    byId("equity-text").textContent = "Worth of the account at the market's price, in " + data.quote + ": from " + money(first) + " to " + money(last) + "; deepest fall " + format(metric && metric.value, "percent") + ". The dashed line is buying and holding.";
    const made = chart("equity");
    const line = made.addSeries(LightweightCharts.AreaSeries, { priceLineVisible: false, lineWidth: 2 });
    line.setData(data.equity.map(([at, worth]) => ({ time: at / 1000, value: worth })));
    const held = made.addSeries(LightweightCharts.LineSeries, { priceLineVisible: false, lastValueVisible: false, lineWidth: 1, lineStyle: 2 });
    held.setData(data.hold.map(([at, worth]) => ({ time: at / 1000, value: worth })));
    const fall = made.addSeries(LightweightCharts.BaselineSeries, { priceLineVisible: false, baseValue: { type: "price", price: 0 }, priceFormat: { type: "custom", formatter: (value) => value.toFixed(2) + " %" } }, 1);
    let peak = -Infinity;
    fall.setData(data.equity.map(([at, worth]) => { peak = Math.max(peak, worth); return { time: at / 1000, value: peak > 0 ? -100 * (peak - worth) / peak : 0 }; }));
    const panes = made.panes();
    if (panes.length > 1) { panes[0].setStretchFactor(2); panes[1].setStretchFactor(1); }
    repaint.push((colour) => {
      line.applyOptions({ lineColor: colour.accent, topColor: colour.accent + "55", bottomColor: colour.accent + "08" });
      held.applyOptions({ color: colour.ink });
      fall.applyOptions({ topLineColor: colour.bad, bottomLineColor: colour.bad, bottomFillColor1: colour.bad + "10", bottomFillColor2: colour.bad + "55", topFillColor1: "transparent", topFillColor2: "transparent" });
    });
    made.timeScale().fitContent();
  };

  const market = () => {
    if (!data.pairs.length || !data.pairs[0].candles.length) return;
    show("market");
    const made = chart("market");
    const candles = made.addSeries(LightweightCharts.CandlestickSeries, { priceLineVisible: false });
    const markers = LightweightCharts.createSeriesMarkers(candles, []);
    let chosen = 0, colour = colours();
    const draw = () => {
      const pair = data.pairs[chosen];
      const digits = pair.digits;
      candles.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: Math.pow(10, -digits) } });
      candles.setData(pair.candles.map(([at, open, high, low, close]) => ({ time: at / 1000, open, high, low, close })));
      const times = pair.candles.map((candle) => candle[0]);
      const bar = (at) => {
        let from = 0, to = times.length;
        while (from + 1 < to) { const middle = (from + to) >> 1; if (times[middle] <= at) from = middle; else to = middle; }
        return times[from] / 1000;
      };
      const fills = data.deals.filter((deal) => deal.pair === chosen).flatMap((deal) => deal.fills.map((fill) => ({ deal, fill })));
      const shown = fills.slice(-1500);
      markers.setMarkers(shown.map(({ deal, fill }) => ({
        time: bar(fill.at),
        position: fill.buy ? "belowBar" : "aboveBar",
        shape: fill.buy ? "arrowUp" : "arrowDown",
        color: fill.buy ? colour.accent : deal.profit < 0 ? colour.bad : colour.good,
        text: shown.length > 60 ? "" : fill.buy ? (fill.level ? "S" + fill.level : "B") : "X",
      })).sort((a, b) => a.time - b.time));
      byId("market-text").textContent = pair.name + ", bars of " + pair.bar + ". B is a base order, S1, S2 and so on are safety orders, X is an exit." + (shown.length < fills.length ? " Only the last " + shown.length + " of " + fills.length + " fills are marked." : "");
    };
    if (data.pairs.length > 1) {
      const label = make("label", "Pair ");
      const select = make("select");
      data.pairs.forEach((pair, place) => { const option = make("option", pair.name); option.value = String(place); select.append(option); });
      select.addEventListener("change", () => { chosen = Number(select.value); draw(); made.timeScale().fitContent(); });
      label.append(select);
      byId("market").querySelector(".controls").append(label);
    }
    repaint.push((now) => {
      colour = now;
      candles.applyOptions({ upColor: now.good, downColor: now.bad, wickUpColor: now.good, wickDownColor: now.bad, borderVisible: false });
      draw();
    });
    draw();
    made.timeScale().fitContent();
  };

  const depth = () => {
    if (!data.deals.length) return;
    const most = Math.max(...data.depth.map((row) => row.deals), 1);
    const rows = data.depth.map((row) => {
      const bar = cell(null, "text");
      const mark = make("span", null, "bar");
      mark.style.width = (12 * row.deals / most) + "rem";
      bar.append(mark);
      return [cell(row.level === 0 ? "base order only" : row.level + (row.level === 1 ? " safety order" : " safety orders"), "text"), plain(row.deals, 0), bar, format(row.funds, "quote")];
    });
    show("depth").querySelector(".scroll").append(table("How many safety orders deals bought", ["Deals that bought", "Deals", "", "Spent on this level"], rows));
  };

  const months = () => {
    if (!data.months.length) return;
    const rows = data.months.map((row) => [cell(row.month, "text"), cell(format(row.change, "share"), sign(row.change)), cell(format(row.profit, "quote"), sign(row.profit)), plain(row.deals, 0)]);
    show("months").querySelector(".scroll").append(table("Results by month", ["Month", "Worth", "Realised", "Deals closed"], rows));
  };

  const excursion = (share, quote) => format(share, "share") + (quote === null || quote === undefined ? "" : " (" + money(quote) + ")");

  const deals = () => {
    if (!data.isBacktest) return;
    const section = show("deals");
    const place = section.querySelector(".scroll");
    if (!data.deals.length) { place.append(make("p", "No deal was opened.")); return; }
    const row = (deal) => [
      cell(String(deal.number), "text"), cell(data.pairs[deal.pair] ? data.pairs[deal.pair].name : "", "text"), time(deal.opened), deal.closed ? time(deal.closed) : "open",
      cell(deal.ended.replaceAll("_", " "), "text"), plain(deal.safeties, 0), money(deal.bought), cell(money(deal.profit), sign(deal.profit)),
      money(deal.fees), excursion(deal.mae, deal.maeQuote), excursion(deal.mfe, deal.mfeQuote),
    ];
    const head = ["Deal", "Pair", "Opened, UTC", "Closed", "Ended by", "Safety orders", "Bought", "Profit", "Fees", "Worst", "Best"];
    const hint = "Bought, profit and fees in " + data.quote + ". Worst and best are against the average paid with fees: of the price in %, of what was held in " + data.quote + ".";
    section.insertBefore(make("p", hint, "hint"), place);
    const draw = (list) => place.replaceChildren(table("Deals", head, list.map(row)));
    const few = 100;
    draw(data.deals.slice(-few).reverse());
    if (data.deals.length > few) {
      const more = make("button", "Show all " + data.deals.length + " deals", "more");
      more.type = "button";
      more.addEventListener("click", () => { draw([...data.deals].reverse()); more.remove(); place.focus(); });
      section.querySelector(".controls").append(more);
    }
  };

  const ranking = () => {
    if (!data.sweep) return;
    const unit = data.sweep.unit;
    const rows = data.sweep.ranked.flatMap((row, place) => {
      const doubts = cell(row.doubts.length ? "But: " + row.doubts.join("; ") + "." : "Nothing that was looked at speaks against it.", "wrap hint");
      doubts.colSpan = 7;
      return [
        [cell(String(place + 1), "text"), cell(row.settings.map(([name, value]) => name + " " + value).join(", "), "text"), format(row.value, unit), format(row.holdout, unit), format(row.beside, unit), plain(row.deals, 0), row.grade, row.luck === null ? "none" : plain(row.luck * 100, 1) + " %"],
        [cell("", "text"), doubts],
      ];
    });
    const head = ["", "Settings", data.sweep.metric, "Held out", "Beside it", "Deals", "Grade", "Chance as good"];
    show("ranking").querySelector(".scroll").append(table("Best settings", head, rows));
    if (data.sweep.folds.length) {
      const rows = data.sweep.folds.map((fold) => [cell(time(fold.from).slice(0, 10) + " to " + time(fold.cut).slice(0, 10), "text"), cell(fold.settings.map(([name, value]) => name + " " + value).join(", "), "text"), format(fold.chosen, unit), format(fold.tried, unit)]);
      show("folds").querySelector(".scroll").append(table("Walk-forward", ["Chosen on", "Settings", "There", "On the stretch after"], rows));
    }
    heat();
  };

  const heat = () => {
    const names = data.sweep.parameters.map((parameter) => parameter.name);
    if (!data.sweep.points.length) return;
    const section = show("heat");
    let across = Math.min(1, names.length - 1), down = 0;
    const better = data.sweep.better === "low" ? -1 : 1;
    const draw = () => {
      const columns = data.sweep.parameters[across].values, lines = names.length > 1 ? data.sweep.parameters[down].values : [""];
      const best = new Map();
      data.sweep.points.forEach(([point, value]) => {
        if (value === null) return;
        const key = (names.length > 1 ? point[down] : 0) + ":" + point[across];
        const known = best.get(key);
        if (known === undefined || better * known < better * value) best.set(key, value);
      });
      const values = [...best.values()].map((value) => value * better);
      const low = Math.min(...values), high = Math.max(...values);
      const rows = lines.map((line, y) => {
        const head = make("th", line);
        head.scope = "row";
        return [head, ...columns.map((_, x) => {
          const value = best.get(y + ":" + x);
          const node = cell(value === undefined ? "" : format(value, data.sweep.unit).replace(" " + data.quote, ""));
          if (value !== undefined) {
            const share = high > low ? (value * better - low) / (high - low) : 1;
            node.style.background = "hsl(" + Math.round(10 + 125 * share) + " 55% " + (dark.matches ? "27%" : "80%") + ")";
          }
          return node;
        })];
      });
      const corner = names.length > 1 ? names[down] + " ↓  " + names[across] + " →" : names[across] + " →";
      section.querySelector(".scroll").replaceChildren(table("The best " + data.sweep.metric + " for each pair of values", [corner, ...columns], rows, "heat"));
    };
    const choose = (text, start, set) => {
      const label = make("label", text + " ");
      const select = make("select");
      names.forEach((name, place) => { const option = make("option", name); option.value = String(place); option.selected = place === start; select.append(option); });
      select.addEventListener("change", () => { set(Number(select.value)); draw(); });
      label.append(select);
      section.querySelector(".controls").append(label);
    };
    if (names.length > 2) {
      choose("Down", down, (place) => { down = place; });
      choose("Across", across, (place) => { across = place; });
    }
    draw();
    repaint.push(draw);
  };

  const settings = () => {
    const rows = data.settings.map(([name, value]) => [cell(name, "text"), cell(value, "wrap")]);
    byId("settings").querySelector(".scroll").append(table("Settings and terms", ["Name", "Value"], rows));
  };

  heading();
  figures();
  ranking();
  equity();
  market();
  depth();
  months();
  deals();
  settings();
  paint();
  dark.addEventListener("change", paint);
  document.documentElement.dataset.drawn = "yes";
})();
