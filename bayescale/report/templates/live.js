"use strict";
// What a page computes in the reader's browser: the laws from the draws in the page, and the search for the best plan as in `allocate`.
// The loss is compared in logs of params (n) and tokens (d); `u` is the log of the unique tokens, and c[name][i] a constant in draw i.
const bayescale = (() => {
  const { abs, exp, expm1, log, log1p, max, min, sqrt } = Math;
  const LN10 = log(10), LOG6 = log(6), EDGE = 1e-9, MOST = 300, ALL_NEW = log(1e40);
  const logAdd = (a, b) => max(a, b) + log1p(exp(-abs(a - b)));
  const finiteExp = (x) => exp(min(x, MOST));
  const effective = (amount, excess, decay) => amount - excess + log1p(-decay * expm1(-expm1(excess) / decay));
  const sum = (n, d, c, i) => c.E[i] + exp(log(c.A[i]) - c.alpha[i] * n) + exp(log(c.B[i]) - c.beta[i] * d);
  const laws = {
    chinchilla: sum,
    skaling: (n, d, c, i) => c.E[i] + exp(c.k[i] * logAdd(log(c.A[i]) - c.alpha[i] * n, log(c.B[i]) - c.beta[i] * d)),
    profile: (n, d, c, i) => {
      const shift = n + d - c.c0[i], offset = n - c.x0[i] - c.s[i] * shift, a = c.beta[i] / (c.alpha[i] + c.beta[i]);
      return c.E[i] + exp(log(c.R0[i]) - c.g[i] * shift + logAdd(log(a) - c.alpha[i] * offset, log1p(-a) + c.beta[i] * offset));
    },
    "kaplan-nd": (n, d, c, i) => {
      const size = c.alpha_N[i] / c.alpha_D[i] * (log(c.N_c[i]) - n);
      return c.E[i] + exp(c.alpha_D[i] * logAdd(size, log(c.D_c[i]) - d));
    },
    farseer: (n, d, c, i) => {
      const exponent = finiteExp(c.a1[i] * exp(c.alpha[i] * n) + c.b1[i]);
      const data = finiteExp(c.a2[i] * exp(c.beta[i] * n) + c.b2[i] - exponent * d);
      return finiteExp(c.a3[i] * exp(c.gamma[i] * n) + c.b3[i]) + data;
    },
    overtrained: (n, d, c, i) => {
      const ratio = d - n, eta = c.eta[i];
      return c.E[i] + exp(logAdd(log(c.a[i]) + eta * ratio, log(c.b[i]) - eta * ratio) - eta * (LOG6 + n + d));
    },
    repeated: (n, d, c, i, u) => {
      const epochs = max(0, d - u), rest = c.alpha[i] + c.beta[i];
      const logG = (log(c.alpha[i]) + log(c.A[i]) - log(c.beta[i]) - log(c.B[i])) / rest;
      const useful = logG + c.beta[i] / c.alpha[i] * (d - epochs + logG);
      return sum(effective(n, max(0, n - useful), c.R_N[i]), effective(d, epochs, c.R_D[i]), c, i);
    },
  };

  // How far a plan lies beyond the runs of a law, decades: signed in compute, and outside in tokens per parameter and epochs.
  const beyond = (law, n, d, u) => {
    const worth = law.law === "repeated" ? effective(d, max(0, d - u), 15) : d;
    const over = (x) => x > EDGE ? x / LN10 : 0;
    const ratio = law.ratio === null ? 0 : over(d - n - log(law.ratio[1])) + over(log(law.ratio[0]) - (d - n));
    return { signed: (LOG6 + n + worth - law.logReach) / LN10, ratio, epochs: law.epochs === null ? 0 : over(d - u - log(law.epochs)) };
  };
  const driftAt = (law, n, d, u) => {
    const far = beyond(law, n, d, u);
    return law.perDecade * sqrt(max(far.signed, 0) ** 2 + far.ratio ** 2 + far.epochs ** 2);
  };

  // The loss of draw i of a law whose loss has drifted, and for regret its best size.
  const drifted = (asked, law, n, d, i, { drift, size }) => {
    const shift = size * law.sizeDrift[i];
    return laws[law.law](n - shift, d + shift, law.constants, i, asked.u + shift) * exp(drift * law.drift[i]);
  };
  // One value for each draw of all laws; `held` is the drift of each law at one plan, shared by all plans.
  const losses = (asked, n, d, held = null) => asked.laws.flatMap((law, k) => {
    const far = beyond(law, n, d, asked.u), own = held === null ? { drift: driftAt(law, n, d, asked.u), size: 0 } : held[k];
    if (held !== null && law.ratioDecades !== null && far.ratio > law.ratioDecades) return law.drift.map(() => Infinity);
    return law.drift.map((_, i) => drifted(asked, law, n, d, i, own));
  });
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const quantiles = (values, shares) => {
    const sorted = Float64Array.from(values).sort();
    return shares.map((share) => {
      const at = share * (sorted.length - 1), low = Math.floor(at), high = Math.ceil(at);
      return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
    });
  };
  const tails = (asked) => [0.5, (1 - asked.prob) / 2, (1 + asked.prob) / 2];

  // The most tokens of a size within the budget and the limits, and the largest size.
  const tokensOf = (asked, n, free = false) => {
    const flops = exp(LOG6 + n), serving = asked.demand > 0 ? asked.demand * asked.demandFactor * asked.servingPrice : 0;
    const paid = (asked.budget / flops - serving) / asked.perTrainFlop;
    return log(max(free ? paid : min(paid, asked.maxTokens, asked.countsEpochs ? Infinity : exp(asked.u)), 0));
  };
  const largest = (asked, free = false) => {
    let low = -20, high = 100;
    for (let step = 0; step < 60; step++) {
      const middle = (low + high) / 2;
      if (tokensOf(asked, middle, true) >= 0) low = middle; else high = middle;
    }
    return free ? low : min(low, log(asked.maxParams));
  };
  const golden = (value, low, high, steps) => {
    const g = (sqrt(5) - 1) / 2;
    let a = low, b = high, x = b - g * (b - a), y = a + g * (b - a), fx = value(x), fy = value(y);
    for (let step = 0; step < steps; step++) {
      if (fx < fy) { b = y; y = x; fy = fx; x = b - g * (b - a); fx = value(x); } else { a = x; x = y; fx = fy; y = a + g * (b - a); fy = value(y); }
    }
    return fx < fy ? [x, fx] : [y, fy];
  };
  const leastOf = (values) => values.reduce((best, value, i) => value < values[best] ? i : best, 0);
  const spread = (low, high, points) => Array.from({ length: points }, (_, i) => low + (high - low) * i / (points - 1));

  // The size with the lowest mean loss, and each draw's own best size. Drift is held at the best plan without it, the same for all plans.
  const search = (asked) => {
    const top = largest(asked), coarse = spread(min(0, top - 1), top, max(9, Math.ceil(top / 0.4) + 2));
    const draws = asked.laws.reduce((total, law) => total + law.drift.length, 0);
    const at = (n, held) => { const d = tokensOf(asked, n); return Number.isFinite(d) ? losses(asked, n, d, held) : null; };
    const tableOf = (sizes, held) => sizes.map((n) => at(n, held) ?? new Array(draws).fill(Infinity));
    const best = (held) => {
      const rough = tableOf(coarse, held), bests = Array.from({ length: draws }, (_, i) => leastOf(rough.map((values) => values[i])));
      const grid = spread(coarse[max(min(...bests) - 1, 0)], coarse[min(max(...bests) + 1, coarse.length - 1)], 49), table = tableOf(grid, held);
      const around = (i) => [grid[max(i - 1, 0)], grid[min(i + 1, grid.length - 1)]], means = table.map(mean), place = leastOf(means);
      const [n, least] = golden((x) => { const values = at(x, held); return values === null ? Infinity : mean(values); }, ...around(place), 24);
      return { n: least < means[place] ? n : grid[place], grid, table, around };
    };
    const start = best(asked.laws.map(() => ({ drift: 0, size: 0 }))).n, held = heldAt(asked, { n: start, d: tokensOf(asked, start) });
    const { n } = best(held.map(({ drift }) => ({ drift, size: 0 }))), { grid, table, around } = best(held), own = [];
    asked.laws.forEach((law, k) => law.drift.forEach((_, i) => {
      const draw = own.length, place = leastOf(table.map((values) => values[draw]));
      const [size, loss] = golden((x) => drifted(asked, law, x, tokensOf(asked, x), i, held[k]), ...around(place), 16);
      own.push(loss < table[place][draw] ? { n: size, loss } : { n: grid[place], loss: table[place][draw] });
    }));
    return { n, d: tokensOf(asked, n), held, own };
  };
  const heldAt = (asked, { n, d }) => asked.laws.map((law) => {
    return { drift: driftAt(law, n, d, asked.u), size: law.sizePerDecade * max(beyond(law, n, d, asked.u).signed, 0) };
  });
  const whyFar = (asked, n, d) => {
    for (const law of asked.laws) {
      const far = beyond(law, n, d, asked.u);
      if (far.signed > asked.mostDecades + 1e-6) return `${far.signed.toFixed(2)} decades of compute beyond the largest run, more than ${asked.mostDecades}`;
      if (far.ratio > asked.mostOutside) return `${far.ratio.toFixed(1)} decades outside the tokens per parameter of the runs`;
      if (far.epochs > asked.mostOutside) return `${far.epochs.toFixed(1)} decades more epochs than any run`;
    }
    return "";
  };
  const hasSay = (asked, law, plan) => !law.nearOptimum || law.ratio === null
    || (plan.d - plan.n >= log(law.ratio[0] / asked.nearRatio) && plan.d - plan.n <= log(law.ratio[1] * asked.nearRatio));

  // The question for some settings: those of the page, replaced by what the sliders say.
  const asking = (data, settings = {}) => {
    const all = { ...data, ...settings };
    const countsEpochs = all.laws.every((law) => law.law === "repeated");
    return { ...all, countsEpochs, u: all.uniqueTokens === null ? ALL_NEW : log(all.uniqueTokens), maxParams: all.maxParams ?? Infinity, maxTokens: all.maxTokens ?? Infinity };
  };
  const decide = (asked) => {
    if (!(largest(asked) > 0)) return { why: "The budget is too small for any model: raise it, or lower the demand.", silent: [] };
    return { ...search(asked), silent: [] };
  };
  const choose = (data, settings = {}) => {
    let asked = asking(data, settings), plan = decide(asked);
    const kept = plan.own === undefined ? asked.laws : asked.laws.filter((law) => hasSay(asked, law, plan));
    if (kept.length > 0 && kept.length < asked.laws.length) {
      const silent = asked.laws.filter((law) => !kept.includes(law)).map((law) => law.name);
      asked = { ...asked, laws: kept };
      plan = { ...decide(asked), silent };
    }
    if (plan.own === undefined) return plan;
    const why = whyFar(asked, plan.n, plan.d);
    if (why) return { why: `The best plan for these settings lies ${why}: the laws cannot answer there.`, silent: plan.silent };
    const expected = losses(asked, plan.n, plan.d), noise = asked.laws.flatMap((law) => {
      const below = law.fade * max(0, -beyond(law, plan.n, plan.d, asked.u).signed);
      return law.noise.map((standard, i) => standard * sqrt(law.sigma[i] ** 2 + below ** 2));
    });
    const loss = quantiles(expected.map((value, i) => value * exp(noise[i])), tails(asked)), [, lower, upper] = quantiles(plan.own.map((own) => own.n), tails(asked));
    const regretOf = (n, d) => mean(losses(asked, n, d, plan.held).map((value, i) => value - plan.own[i].loss));
    const result = (name, n) => ({ name, n, d: tokensOf(asked, n, name !== "chosen") });
    const rivals = [result("chosen", plan.n), ...rules(asked, plan).map(([name, n]) => result(name, n))].filter((one) => whyFar(asked, one.n, one.d) === "");
    for (const one of rivals) Object.assign(one, { expected: quantiles(losses(asked, one.n, one.d), tails(asked)), regret: regretOf(one.n, one.d) });
    const decades = max(...asked.laws.map((law) => max(0, beyond(law, plan.n, plan.d, asked.u).signed)));
    return { why: "", asked, n: plan.n, d: plan.d, params: exp(plan.n), tokens: exp(plan.d), paramsLower: exp(lower), paramsUpper: exp(upper), loss, decades, regret: rivals[0].regret, rivals, silent: plan.silent };
  };

  // Sizes of the rules of thumb for the same budget.
  const rules = (asked, plan) => {
    const top = largest(asked, true);
    const ofRatio = (ratio) => {
      let low = top - 60, high = top;
      for (let step = 0; step < 80; step++) {
        const middle = (low + high) / 2;
        if (tokensOf(asked, middle, true) - middle > log(ratio)) low = middle; else high = middle;
      }
      return (low + high) / 2;
    };
    let kaplan = 0, flops = LOG6 + plan.n + plan.d;
    for (let round = 0; round < 40; round++) {
      kaplan = min(log(1.3e9) + 0.73 * (flops - log(8.64e19)), top - 1e-9);
      flops = LOG6 + kaplan + tokensOf(asked, kaplan, true);
    }
    return [["20 tokens per parameter", ofRatio(20)], ["like LLaMA-7B", ofRatio(1e12 / 6.7e9)], ["Kaplan's rule", kaplan]];
  };

  // Numbers as the rest of the page has them.
  const number = (value, digits) => {
    const text = value.toPrecision(digits);
    return text.includes("e") ? String(Number(text)).replace("e+", "e") : text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  };
  const count = (value) => {
    if (value >= 999.5 && value < 1e15) {
      for (const [size, suffix] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) if (value >= 0.9995 * size) return number(value / size, 3) + suffix;
    }
    return value >= 1e15 ? flop(value) : number(value, 3);
  };
  const flop = (value) => {
    if (value < 1000) return number(value, 3);
    const [mantissa, power] = value.toExponential(2).split("e");
    return `${Number(mantissa)}e${Number(power)}`;
  };
  const level = (value) => abs(value) >= 0.1 ? value.toFixed(3) : number(value, 4);
  const amount = (data, value) => data.budgetUnit === "USD" ? `$${value >= 1e3 ? count(value) : number(value, 3)}` : `${flop(value)} ${data.budgetUnit}`;

  return { laws, losses, asking, choose, count, flop, level, amount, quantiles, tails, tokensOf, mean };
})();

// The panel: sliders in decades, the answer, a chart and a table. Without a panel, as in tests of the numbers, nothing is drawn.
(() => {
  const store = typeof document === "undefined" ? null : document.getElementById("live-data");
  if (store === null) return;
  const data = JSON.parse(store.textContent), b = bayescale, settings = {};
  const at = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, text = "") => {
    const svg = ["svg", "path", "line", "circle", "text", "g", "title"].includes(tag);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };
  // A slider over decades; its last (or first) notch stands for no limit (or no demand).
  const slider = (name, label, start, low, high, write, off = null) => {
    const step = 0.02, x = start > 0 ? Math.log10(start) : null, down = x ?? low;
    const least = down - step * Math.ceil(Math.max(down - low, 0) / step), steps = Math.ceil((Math.max(high, down) - least) / step);
    const none = off === null ? null : off.first ? -1 : steps + 1;
    const holder = make("label"), input = make("input", { type: "range", id: `live-${name}`, min: none === -1 ? -1 : 0, max: none > 0 ? none : steps, step: 1 });
    const output = make("output", { for: `live-${name}` });
    input.value = x === null ? none : Math.round((down - least) / step);
    const read = () => {
      const notch = Number(input.value);
      settings[name] = notch === none ? off.value : x !== null && notch === Math.round((down - least) / step) ? start : 10 ** (least + step * notch);
      output.textContent = notch === none ? off.text : write(settings[name]);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => { read(); later(); });
    holder.append(make("span", {}, label), input, output);
    at("live-form").append(holder);
    read();
  };
  const chart = (found) => {
    const width = Math.max(300, Math.min(880, at("live-chart").clientWidth || 880)), height = 320, left = 58, right = 12, top = 12, bottom = 46;
    const ends = [Math.log(found.paramsLower), Math.log(found.paramsUpper)], near = found.rivals.filter((one) => one.n > ends[0] - 2 && one.n < ends[1] + 2);
    const low = Math.min(...ends, ...near.map((one) => one.n)) - 0.5, high = Math.max(...ends, ...near.map((one) => one.n)) + 0.5, points = [];
    for (let k = 0; k <= 48; k++) {
      const n = low + (high - low) * k / 48, d = b.tokensOf(found.asked, n, true);
      if (Number.isFinite(d)) points.push([n, ...b.quantiles(b.losses(found.asked, n, d), b.tails(found.asked))]);
    }
    const floor = Math.min(...points.map((p) => p[2])), roof = Math.min(Math.max(...points.map((p) => p[3])), floor + 2.5 * (Math.max(...near.map((one) => one.expected[2])) - floor));
    const x = (n) => left + (n - low) / (high - low) * (width - left - right), y = (loss) => top + (roof - loss) / (roof - floor) * (height - top - bottom);
    const line = (list) => list.map(([n, loss], k) => `${k ? "L" : "M"}${x(n).toFixed(1)} ${y(Math.min(loss, roof)).toFixed(1)}`).join("");
    const said = `Expected loss of all sizes for this budget, ${Math.round(100 * data.prob)}% band; the dot is the best size, the bar its interval.`;
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said, "font-size": 12, fill: "#1b1f24" });
    const upper = points.map((p) => [p[0], p[3]]), lower = points.map((p) => [p[0], p[2]]).reverse();
    svg.append(make("path", { d: `${line(upper)}${line(lower).replace("M", "L")}Z`, fill: "#9ec5ea", "fill-opacity": 0.6 }));
    svg.append(make("path", { d: line(points.map((p) => [p[0], p[1]])), fill: "none", stroke: "#0b5cad", "stroke-width": 2 }));
    svg.append(make("path", { d: `M${left} ${top}V${height - bottom}H${width - right}`, fill: "none", stroke: "#57606a" }));
    for (let power = Math.floor(low / Math.LN10); power < high / Math.LN10; power++) for (const digit of high - low > 3 ? [1, 3] : [1, 2, 5]) {
      const n = Math.log(digit) + power * Math.LN10;
      if (n > low && n < high - 0.1) svg.append(make("text", { x: x(n), y: height - bottom + 18, "text-anchor": "middle" }, b.count(Math.exp(n))));
    }
    const unit = 10 ** Math.floor(Math.log10(roof - floor)), step = [0.2, 0.5, 1].map((share) => share * unit).find((one) => (roof - floor) / one < 7) ?? unit;
    for (let loss = Math.ceil(floor / step) * step; loss <= roof; loss += step) svg.append(make("text", { x: left - 6, y: y(loss) + 4, "text-anchor": "end" }, b.level(loss)));
    svg.append(make("text", { x: (left + width) / 2, y: height - 8, "text-anchor": "middle" }, `parameters (loss in ${data.unit})`));
    const best = found.rivals[0].expected[0];
    svg.append(make("line", { x1: x(Math.log(found.paramsLower)), x2: x(Math.log(found.paramsUpper)), y1: y(best), y2: y(best), stroke: "#1b1f24", "stroke-width": 3 }));
    for (const one of near) {
      const dot = make("circle", { cx: x(one.n), cy: y(Math.min(one.expected[0], roof)), r: one.name === "chosen" ? 6 : 5, fill: one.name === "chosen" ? "#1b1f24" : "#ffffff", stroke: "#1b1f24", "stroke-width": 2 });
      dot.append(make("title", {}, one.name));
      svg.append(dot);
    }
    at("live-chart").replaceChildren(svg);
  };
  const show = () => {
    const found = b.choose(data, settings), silent = found.silent.length ? ` Without ${found.silent.join(", ")}, which cannot judge such a plan.` : "";
    at("live-rivals").hidden = at("live-chart").hidden = found.why !== "";
    if (found.why) { at("live-answer").textContent = found.why; return; }
    const [middle, low, high] = found.loss.map(b.level), prob = `${Math.round(100 * data.prob)}%`;
    at("live-answer").textContent = `For ${b.amount(data, settings.budget)}: train ${b.count(found.params)} parameters on ${b.count(found.tokens)} tokens; expect ${middle} ${data.unit} of a new run `
      + `(${prob} band ${low}-${high}). The best size lies between ${b.count(found.paramsLower)} and ${b.count(found.paramsUpper)} with ${prob} probability; not knowing it costs ${Number(found.regret.toPrecision(2))} ${data.unit}.${silent}`;
    const row = (cells, tag) => { const tr = make("tr"); cells.forEach((cell, k) => tr.append(make(tag === "th" || k === 0 ? "th" : "td", tag === "th" ? { scope: "col" } : k === 0 ? { scope: "row" } : {}, cell))); return tr; };
    at("live-rivals").tHead.replaceChildren(row(["plan", "params", "tokens", "loss without noise", `${prob} band`, `regret, ${data.unit}`], "th"));
    at("live-rivals").tBodies[0].replaceChildren(...found.rivals.map((one) => row([one.name, b.count(Math.exp(one.n)), b.count(Math.exp(one.d)), b.level(one.expected[0]), `${b.level(one.expected[1])}-${b.level(one.expected[2])}`, String(Number(one.regret.toPrecision(2)))], "td")));
    chart(found);
  };
  let waiting = 0;
  const later = () => { if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; show(); }); };
  const budget = Math.log10(data.budget), tokens = (data.laws[0].logReach / Math.LN10 - Math.log10(6)) / 2; // of a run as large as its size
  const none = (text) => ({ value: null, text, first: false });
  slider("budget", `Budget, ${data.budgetUnit}`, data.budget, budget - 1.5, budget + 2, (value) => b.amount(data, value));
  if (data.servingPrice !== null) slider("demand", "Tokens to be served", data.demand, tokens - 1, tokens + 5, b.count, { value: 0, text: "none", first: true });
  slider("uniqueTokens", "Unique tokens", data.uniqueTokens, tokens - 1, tokens + 3, b.count, none("no limit"));
  slider("maxParams", "Largest size", data.maxParams, tokens - 4, tokens + 1, b.count, none("no limit"));
  at("live-draws").textContent = String(data.laws.reduce((total, law) => total + law.drift.length, 0));
  at("live").hidden = false;
  show();
  window.addEventListener("resize", later);
})();
