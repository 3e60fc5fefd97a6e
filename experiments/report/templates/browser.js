"use strict";
(() => {
  const source = document.getElementById("data-browser"), root = document.getElementById("browser");
  if (!source || !root) return;
  const data = JSON.parse(source.textContent), codes = data.codes, steps = data.steps, paths = data.paths;
  const el = (id) => document.getElementById(id);
  const node = (tag, text, name) => { const one = document.createElement(tag); if (text != null) one.textContent = text; if (name) one.className = name; return one; };
  const page = 12;

  const size = codes.code.length, after = Array.from({ length: size }, () => []), before = Array.from({ length: size }, () => []);
  steps.a.forEach((a, i) => { after[a].push(i); before[steps.b[i]].push(i); });
  const words = codes.code.map((code, i) => (code + " " + codes.text[i]).toLowerCase());
  const degree = codes.code.map((_, i) => after[i].length + before[i].length);
  const sizes = steps.rr.filter((x) => x > 0).map((x) => Math.abs(Math.log(x))).sort((x, y) => x - y);
  const reach = Math.max(Math.log(4), sizes[Math.floor(0.9 * sizes.length)] || 0);  /* beyond it, at the edge */

  const name = (i) => codes.text[i] || codes.code[i];
  const ratio = (x) => x == null ? "–" : x >= 20 ? x.toFixed(0) : x >= 3 ? x.toFixed(1) : x.toFixed(2);
  const count = (n) => n == null ? "–" : n.toLocaleString("en");
  const time = (d) => d == null ? "–" : d < 60 ? d + " days" : d < 730 ? Math.round(d / 30.44) + " months" : (d / 365.25).toFixed(1) + " years";
  const place = (x) => Math.min(Math.max(50 + 48 * Math.log(Math.max(x, 0.02)) / reach, 1), 99);

  let path = [], shown = { before: page, after: page };

  const filters = () => ({ effect: el("b-effect").value, least: Number(el("b-least").value), persons: Number(el("b-persons").value) || 0,
    replicated: el("b-replicated").checked, groups: data.groups.map((group) => [group, el("b-" + group).value]) });
  const fits = (i, f) => {
    const rr = steps.rr[i];
    if (f.effect === "more" && !(rr > 1) || f.effect === "less" && !(rr < 1)) return false;
    if (f.least > 1 && (rr == null || Math.max(rr, 1 / rr) < f.least)) return false;
    if (f.persons && !(steps.O[i] >= f.persons)) return false;
    if (f.replicated && steps.replicated[i] !== true) return false;
    return f.groups.every(([group, wanted]) => wanted === "" ? !steps[group][i] || steps[group][i] === "all" : steps[group][i] === wanted);
  };

  const line = (i, other, way) => {
    const item = node("li"), button = node("button", null, "step");
    button.type = "button"; button.dataset.code = other; button.dataset.way = way; button.dataset.step = i;
    const rr = steps.rr[i], head = node("span", null, "step-name");
    head.append(node("span", name(other)), node("code", codes.code[other]));
    if (steps.flags[i]) head.append(node("span", steps.flags[i], "flag"));
    const bar = node("span", null, "bar"), span = node("i"), point = node("u");
    if (rr != null) {
      const low = place(steps.low[i] ?? rr), high = place(steps.high[i] ?? rr);
      span.style.left = low + "%"; span.style.width = (high - low) + "%"; point.style.left = place(rr) + "%";
      bar.append(span, point);
    }
    const figures = node("span", null, "step-figures");
    figures.append(node("b", (rr == null ? "" : rr >= 1 ? "▲ " : "▽ ") + ratio(rr) + " times"), node("span", "95 %: " + ratio(steps.low[i]) + " to " + ratio(steps.high[i])),
      node("span", count(steps.O[i]) + " persons"), node("span", time(steps.lag[i]) + (steps.lag25[i] == null ? "" : " (" + time(steps.lag25[i]) + " to " + time(steps.lag75[i]) + ")")),
      node("span", steps.replicated[i] === true ? "replicated" : steps.replicated[i] === false ? "not replicated" : ""));
    button.append(head, bar, figures);
    item.append(button);
    return item;
  };

  const side = (way, list, here, f) => {
    const found = list[here].filter((i) => fits(i, f));
    const target = el("b-" + way), more = el("b-more-" + way);
    target.replaceChildren(...found.slice(0, shown[way]).map((i) => line(i, way === "after" ? steps.b[i] : steps.a[i], way)));
    el("b-count-" + way).textContent = found.length === 0 ? (list[here].length ? "none with these filters" : "none") : found.length > shown[way] ? shown[way] + " of " + found.length : found.length;
    more.hidden = found.length <= shown[way];
  };

  const known = (way) => {
    const walked = way.map((one) => one.code);
    for (let i = 0; i < paths.items.length; i++) {
      const items = paths.items[i];
      if (items.length === walked.length && items.every((one, j) => one === walked[j])) return i;
    }
    return -1;
  };

  const trail = () => {
    const parts = [];
    path.forEach((one, at) => {
      const item = node("li"), button = node("button", name(one.code));
      button.type = "button"; button.dataset.at = at; button.title = "Back to " + codes.code[one.code];
      if (at === path.length - 1) button.setAttribute("aria-current", "step");
      if (one.step != null) {
        const i = one.step;
        item.append(node("span", "→ " + ratio(steps.rr[i]) + " (" + ratio(steps.low[i]) + " to " + ratio(steps.high[i]) + "), " + time(steps.lag[i]) + " →", "between"));
      }
      item.append(button);
      parts.push(item);
    });
    el("b-path").replaceChildren(...parts);
    const i = path.length > 2 ? known(path) : -1;
    el("b-known").textContent = i >= 0
      ? "Of " + count(paths.n_walked[i]) + " persons who came this far, " + count(paths.n_person[i]) + " took the last step: " + ratio(paths.rr[i]) + " times as many as expected (" + ratio(paths.low[i]) + " to " + ratio(paths.high[i]) + ")."
      : path.length > 2 ? "Each step is a pair of its own; this path as a whole was not counted." : "";
    el("b-back").disabled = path.length < 2;
  };

  const show = () => {
    if (!path.length) return;
    const here = path[path.length - 1].code, f = filters();
    el("b-here").replaceChildren(node("b", name(here)), node("code", codes.code[here]), node("span", codes.n_a[here] == null ? "" : count(codes.n_a[here]) + " persons"));
    side("before", before, here, f); side("after", after, here, f); trail();
    root.dataset.ready = "yes";
  };
  const go = (code, step) => { path = step == null ? [{ code }] : [...path, { code, step }]; shown = { before: page, after: page }; show(); };

  /* Search: a combobox; arrows choose, Enter takes, Escape closes. */
  const search = el("b-search"), list = el("b-options");
  let options = [], active = -1;
  const close = () => { list.hidden = true; search.setAttribute("aria-expanded", "false"); search.removeAttribute("aria-activedescendant"); active = -1; };
  const suggest = () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = codes.code.map((_, i) => i).filter((i) => asked.every((word) => words[i].includes(word)));
    found.sort((x, y) => (words[y].startsWith(asked[0] || "") - words[x].startsWith(asked[0] || "")) || degree[y] - degree[x]);
    options = found.slice(0, 10);
    list.replaceChildren(...options.map((i, at) => {
      const one = node("li"); one.id = "b-option-" + at; one.setAttribute("role", "option"); one.setAttribute("aria-selected", "false");
      one.append(node("span", name(i)), node("code", codes.code[i]), node("small", degree[i] + (degree[i] === 1 ? " step" : " steps")));
      one.addEventListener("pointerdown", (event) => { event.preventDefault(); take(at); });
      return one;
    }));
    el("b-status").textContent = found.length + (found.length === 1 ? " code" : " codes") + " found";
    list.hidden = !options.length; search.setAttribute("aria-expanded", String(!list.hidden)); active = -1;
  };
  const mark = (at) => {
    active = at;
    [...list.children].forEach((one, i) => one.setAttribute("aria-selected", String(i === at)));
    if (at >= 0) { search.setAttribute("aria-activedescendant", "b-option-" + at); list.children[at].scrollIntoView({ block: "nearest" }); }
  };
  const take = (at) => { const code = options[at]; if (code == null) return; search.value = name(code); close(); go(code); };
  search.addEventListener("input", suggest);
  search.addEventListener("focus", () => { if (search.value) search.select(); });
  search.addEventListener("blur", close);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) suggest();
      if (options.length) mark((active + (event.key === "ArrowDown" ? 1 : options.length - (active < 0 ? 0 : 1))) % options.length);
    } else if (event.key === "Enter") { if (list.hidden) suggest(); take(Math.max(active, 0)); } else if (event.key === "Escape") close(); else return;
    event.preventDefault();
  });

  /* Steps: click or Enter goes there; arrows move within a list and between the two. */
  root.addEventListener("click", (event) => {
    const step = event.target.closest("button.step"), crumb = event.target.closest("#b-path button");
    if (step) {
      const code = Number(step.dataset.code), i = Number(step.dataset.step);
      if (step.dataset.way === "after") go(code, i);
      else go(code);
      const first = root.querySelector("#b-" + step.dataset.way + " button.step") || search;
      first.focus({ preventScroll: true });
    } else if (crumb) { path = path.slice(0, Number(crumb.dataset.at) + 1); show(); }
  });
  root.addEventListener("keydown", (event) => {
    const here = event.target.closest("button.step");
    if (event.key === "/" && event.target !== search && event.target.tagName !== "INPUT") { search.focus(); event.preventDefault(); return; }
    if (!here) return;
    const item = here.closest("li"), other = (way) => root.querySelector("#b-" + way + " button.step");
    const target = { ArrowDown: item.nextElementSibling?.firstElementChild, ArrowUp: item.previousElementSibling?.firstElementChild,
      ArrowLeft: other("before"), ArrowRight: other("after") }[event.key];
    if (event.key === "Backspace") { el("b-back").click(); event.preventDefault(); }
    if (target) { target.focus(); event.preventDefault(); }
  });
  el("b-back").addEventListener("click", () => { if (path.length > 1) { path.pop(); show(); } });
  ["before", "after"].forEach((way) => el("b-more-" + way).addEventListener("click", () => { shown[way] += 3 * page; show(); }));
  ["b-effect", "b-least", "b-persons", "b-replicated", ...data.groups.map((group) => "b-" + group)].forEach((id) => el(id).addEventListener("input", () => { shown = { before: page, after: page }; show(); }));
  data.groups.forEach((group) => {
    const values = [...new Set(steps[group].filter((value) => value && value !== "all"))].sort();
    values.forEach((value) => { const one = node("option", value); one.value = value; el("b-" + group).append(one); });
  });
  root.hidden = false;
  if (size) go(steps.a.length ? steps.a[0] : paths.items[0][0]);
})();
