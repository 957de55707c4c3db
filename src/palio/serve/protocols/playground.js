"use strict";
let key = "", spec = null, entries = [], example = 0, language = "curl";
const $ = id => document.getElementById(id);
const MOST_OPTIONS = 40, MOST_SHARES = 8, MOST_REASONS = 8, FILTER_FROM = 20, RETRY_MS = 2000;

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
function show(id, text) { $(id).textContent = text; }
function number(value, digits = 4) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  const places = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : null;
  if (places !== null) return value.toLocaleString("en", {minimumFractionDigits: 0, maximumFractionDigits: places});
  return String(Number(value.toPrecision(digits)));
}
const percent = share => (share * 100).toFixed(1) + " %";

async function ask(method, path, body) {
  const headers = key ? {"x-api-key": key} : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  const began = performance.now();
  const answer = await fetch(path, {method, headers, body, cache: "no-store"});
  const text = await answer.text();
  const took = performance.now() - began;
  let found = {};
  try { found = JSON.parse(text); } catch { found = {error: "the answer is not JSON"}; }
  return {status: answer.status, found, took};
}

/* ── fields ── */

function rangeOf(field) {
  const {low, high} = field;
  const text = value => typeof value === "number" ? number(value) : String(value).slice(0, 10);
  if (low == null && high == null) return "";
  const span = low == null ? "up to " + text(high) : high == null ? "from " + text(low) : text(low) + " to " + text(high);
  return field.others === "reject" ? "only " + span : span;
}
function columnEntry(field) {
  if (field.type === "image") return pictureEntry();
  if (field.type === "number" || field.type === "integer") return numberEntry(field);
  if (field.type === "datetime") return dateEntry(field);
  if (field.type === "category" || field.type === "boolean") return choiceEntry(field);
  const input = make("textarea", {placeholder: field.missing_allowed ? "Write something, or leave it empty" : "Write something"});
  return {input, wide: true, hint: field.missing_allowed ? "may be empty" : "",
    read: () => input.value === "" ? null : input.value, write: value => { input.value = value ?? ""; }};
}
function pictureEntry() {
  let held = null, name = "";
  const input = make("input", {type: "file", accept: "image/*"}), shown = make("img", {alt: "", hidden: true});
  const about = make("p", {className: "soft small", hidden: true});
  const ask = make("p", {className: "soft"}, make("b", {textContent: "Choose a picture"}), ", drop or paste one here");
  const away = make("button", {type: "button", textContent: "Remove", hidden: true});
  const zone = make("div", {className: "drop", tabIndex: 0, role: "button", ariaLabel: "Choose, drop or paste a picture"}, shown, ask, about, input);
  const entry = {input, zone, wide: true, hint: "", isEmpty: () => held === null, away,
    read: () => held, write: value => put(value ?? null, ""),
    file: () => /^[\w.-]{1,80}$/.test(name) ? name : "picture." + (typeOf(held) || "jpg").replace("jpeg", "jpg"),
    type: () => "image/" + (typeOf(held) || "jpeg"),
    take: file => { entry.reading = load(file); if (spec.fields.length === 1) predict(); }};
  const load = file => new Promise(done => {
    const reader = new FileReader();
    reader.onload = () => { put(reader.result, file.name); about.textContent = file.name + ", " + sizeOf(file.size); changed(entry); };
    reader.onloadend = done;
    reader.readAsDataURL(file);
  });
  const put = (value, called) => {
    held = value; name = called; input.value = "";
    if (value) shown.src = value; else shown.removeAttribute("src");
    if (!called) about.textContent = "";
    shown.hidden = about.hidden = away.hidden = !value; ask.hidden = Boolean(value);
  };
  shown.addEventListener("load", () => { about.textContent = about.textContent.replace(/( \(.*)?$/, " (" + shown.naturalWidth + " × " + shown.naturalHeight + ")"); });
  shown.addEventListener("error", () => { shown.hidden = true; });
  zone.addEventListener("click", event => { if (event.target !== input) input.click(); });
  zone.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); input.click(); } });
  input.addEventListener("change", () => { if (input.files.length) entry.take(input.files[0]); });
  for (const kind of ["dragenter", "dragover"]) zone.addEventListener(kind, event => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", event => {
    event.preventDefault(); zone.classList.remove("over");
    if (event.dataTransfer.files.length) entry.take(event.dataTransfer.files[0]);
  });
  away.addEventListener("click", () => { put(null, ""); changed(entry); });
  return entry;
}
const typeOf = url => url ? url.slice(0, 40).match(/^data:image\/([\w.+-]+)/)?.[1] : "";
const sizeOf = bytes => bytes < 1e6 ? Math.ceil(bytes / 1e3) + " kB" : (bytes / 1e6).toFixed(1) + " MB";
function numberEntry(field) {
  const whole = field.type === "integer";
  const input = make("input", {type: "number", step: whole ? "1" : "any", inputMode: whole ? "numeric" : "decimal",
    placeholder: field.missing_allowed ? "missing" : ""});
  const entry = {input, hint: rangeOf(field), slider: null,
    read: () => input.value === "" ? null : Number(input.value),
    write: value => { input.value = value ?? ""; follow(); }};
  const follow = () => { if (entry.slider && input.value !== "") entry.slider.value = input.value; };
  if (field.low != null && field.high != null && field.low < field.high) {
    entry.slider = make("input", {type: "range", min: field.low, max: field.high, tabIndex: -1,
      step: whole ? "1" : String(Number(((field.high - field.low) / 200).toPrecision(1)))});
    entry.slider.setAttribute("aria-hidden", "true");
    entry.slider.addEventListener("input", () => {
      input.value = Number(Number(entry.slider.value).toPrecision(12)); changed(entry);
    });
    input.addEventListener("input", follow);
  }
  return entry;
}
function dateEntry(field) {
  const input = make("input", {type: field.is_day ? "date" : "datetime-local", step: field.is_day ? "1" : "1"});
  return {input, hint: rangeOf(field), read: () => input.value || null, write: value => { input.value = value ?? ""; }};
}
function choiceEntry(field) {
  const values = field.values;
  if (field.type === "category" && (values.length > MOST_OPTIONS || !values.length)) {
    const list = make("datalist", {id: "known-" + entries.length});
    values.forEach(value => list.append(make("option", {value})));
    const input = make("input", {type: "text", placeholder: field.missing_allowed ? "missing" : ""});
    input.setAttribute("list", list.id);
    return {input, list, hint: values.length + " known values",
      read: () => input.value === "" ? null : input.value, write: value => { input.value = value ?? ""; }};
  }
  const input = make("select");
  if (field.missing_allowed) input.append(make("option", {value: "", textContent: "– missing –"}));
  values.forEach((value, place) => input.append(make("option", {value: String(place), textContent: String(value)})));
  return {input, hint: field.type === "boolean" ? "" : values.length + " values",
    read: () => input.value === "" ? null : values[Number(input.value)],
    write: value => { const at = values.indexOf(value); input.value = at < 0 ? (field.missing_allowed ? "" : "0") : String(at); }};
}
function tensorEntry(field) {
  const plain = field.shape.length === 0 || (field.shape.length === 1 && field.shape[0] === 1);
  const input = make(plain ? "input" : "textarea", {spellcheck: false});
  if (!plain) input.className = "values";
  const hint = field.type + (field.shape.length ? " [" + field.shape.map(size => size < 0 ? "any" : size).join(", ") + "]" : "");
  const read = () => {
    if (plain && field.type === "BYTES") return input.value;
    try { return JSON.parse(input.value); }
    catch { throw {error: "`" + field.name + "` is not JSON", hint: "write it as " + (plain ? "1.5" : "[0.5, 1.5]"), fields: [field.name]}; }
  };
  return {input, hint, wide: !plain, read, write: value => {
    const flat = plain && Array.isArray(value) ? value[0] : value;
    input.value = value == null ? "" : plain && field.type === "BYTES" ? flat : JSON.stringify(flat).replace(/,/g, ", ");
  }};
}
function build() {
  const kept = Object.fromEntries(entries.map(entry => [entry.field.name, entry]));
  entries = [];
  const placed = spec.fields.map((field, place) => {
    const entry = spec.kind === "graph" ? tensorEntry(field) : columnEntry(field);
    entry.field = field;
    entry.input.id = "field-" + place;
    entry.input.dataset.name = field.name;
    const label = make("label", {htmlFor: entry.input.id}, make("span", {textContent: field.name}));
    if (entry.hint) label.append(make("small", {textContent: entry.hint, title: entry.hint}));
    entry.note = make("p", {className: "unusual", hidden: true});
    entry.box = make("div", {className: entry.wide ? "field wide" : "field", title: field.note || ""}, label, entry.zone || entry.input);
    if (entry.away) entry.box.append(entry.away);
    if (entry.list) entry.box.append(entry.list);
    if (entry.slider) entry.box.append(entry.slider);
    entry.box.append(entry.note);
    if (!entry.zone) entry.input.addEventListener("input", () => changed(entry));
    const before = kept[field.name];
    entry.write(before && before.field.type === field.type ? before.read() : field.typical);
    entries.push(entry);
    return entry.box;
  });
  $("fields").replaceChildren(...placed);
  entries.forEach(mark);
}
function mark(entry) { entry.box.classList.toggle("empty", entry.isEmpty ? entry.isEmpty() : entry.input.value === ""); }
function changed(entry) { mark(entry); unmark(entry); snippet(); }
function unmark(entry) { entry.box.classList.remove("wrong"); entry.note.hidden = true; }
function fill(values) {
  entries.forEach(entry => { entry.write(values[entry.field.name]); mark(entry); unmark(entry); });
  snippet();
}
function point(name, text) {
  const entry = entries.find(one => one.field.name === name);
  if (!entry) return;
  entry.box.classList.add("wrong");
  entry.note.textContent = text; entry.note.hidden = !text;
}
function record() {
  const made = {};
  for (const entry of entries) {
    const value = entry.read();
    if (value !== null || entry.field.missing_allowed) made[entry.field.name] = value;
  }
  return made;
}

/* ── the answer ── */

function wantsReasons() { return spec.can_explain && $("explain").checked; }
function route() { return wantsReasons() ? "predict?explain=1" : spec.boxes ? "predict?threshold=0" : "predict"; }
async function predict() {
  entries.forEach(unmark);
  await Promise.all(entries.map(entry => entry.reading));
  let body;
  try { body = JSON.stringify({records: [record()]}); } catch (error) { fail(error, 0); return; }
  $("predict").disabled = true; $("answer").classList.add("busy");
  try {
    const {status, found, took} = await ask("POST", route(), body);
    if (status === 200 && found.version > spec.version) await look();
    if (status === 200) draw(found, took);
    else fail(found, status);
  } catch { fail({error: "the server did not answer"}, 0); }
  finally { $("predict").disabled = false; $("answer").classList.remove("busy"); }
  if (matchMedia("(max-width: 60rem)").matches) $("answer").scrollIntoView({behavior: "smooth", block: "start"});
}
function only(id) { ["waiting", "failed", "result"].forEach(one => { $(one).hidden = one !== id; }); }
function fail(found, status) {
  only("failed");
  show("failed-text", (found.error || "it failed").replace(/^(record|row) 0: /, "") + (status ? " (" + status + ")" : ""));
  show("failed-hint", found.hint || "");
  (found.fields || []).forEach(name => point(name, ""));
  if (status === 401) { $("door").hidden = false; $("key").focus(); }
}
function draw(found, took) {
  const row = found.predictions[0], shares = row.probabilities || null;
  only("result");
  show("what", spec.kind === "graph" ? "Output " + spec.output : spec.boxes ? "Found in the picture" : "Prediction of " + spec.target);
  $("scene").hidden = !spec.boxes;
  const simple = row.prediction === null || typeof row.prediction !== "object";
  show("verdict", simple ? number(row.prediction) : JSON.stringify(row.prediction).replace(/,/g, ", "));
  $("verdict").className = simple && String(row.prediction).length < 60 ? "verdict" : "verdict long";
  if (spec.boxes) drawScene(row.prediction);
  drawShares(shares, row.prediction);
  $("flags").replaceChildren(...row.flags.map(text => make("li", {textContent: text})));
  row.flags.forEach(text => { const cut = text.lastIndexOf(": "); point(text.slice(0, cut), text.slice(cut + 2)); });
  drawReasons(row);
  const others = Object.entries(row.outputs || {});
  $("others").replaceChildren(...others.flatMap(([name, value]) => [make("h3", {textContent: name}),
    make("pre", {textContent: JSON.stringify(value).replace(/,/g, ", ")})]));
  const facts = [["model", found.model + ", version " + row.version], ["prediction id", row.id],
    ["round trip", number(took, 2) + " ms" + (row.explanation ? ", with the explanation" : "")]];
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {textContent: name}), make("dd", {textContent: value})]));
  $("facts").lastChild.id = "took"; $("facts").children[3].id = "prediction-id";
}

/* ── boxes ── */

const SHADES = ["#0b6b73", "#b3461b", "#5b3f9e", "#8a6100", "#a1246b", "#2f6b1f", "#1f4f9e", "#6b3a24"];
const shadeOf = label => SHADES[Math.max(0, spec.classes.indexOf(label)) % SHADES.length];
let scene = [];
function drawn(tag, attributes, ...children) {
  const made = document.createElementNS($("boxes").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
function drawScene(boxes) {
  scene = boxes;
  const entry = entries.find(one => one.zone), image = $("seen");
  image.hidden = false;
  image.src = entry.read();
  $("sure").value = spec.boxes.threshold;
  image.onload = drawBoxes;
  image.onerror = () => { image.hidden = true; drawBoxes(); };
  drawBoxes();
}
function drawBoxes() {
  const least = Number($("sure").value), said = scene.filter(box => box.score >= least), image = $("seen");
  show("sure-text", percent(least));
  const counts = new Map();
  said.forEach(box => counts.set(box.label, (counts.get(box.label) || 0) + 1));
  show("verdict", [...counts].map(([label, n]) => n + " × " + label).join(", ") || "Nothing");
  $("verdict").className = $("verdict").textContent.length < 40 ? "verdict" : "verdict long";
  const wide = image.naturalWidth, high = image.naturalHeight;
  const size = Math.max(wide, high) / 32;
  const marks = said.map(box => {
    const [left, top, right, bottom] = box.box, shade = shadeOf(box.label);
    const place = {x: left, y: top, width: right - left, height: bottom - top};
    const text = drawn("text", {x: left + size / 5, y: top > size * 1.3 ? top - size / 3 : top + size * 1.1, fill: shade, "font-size": size, "stroke-width": size / 5});
    text.textContent = box.label + " " + Math.round(box.score * 100) + " %";
    return drawn("g", {}, drawn("rect", {...place, class: "under"}), drawn("rect", {...place, stroke: shade}), text);
  });
  $("boxes").setAttribute("viewBox", "0 0 " + (wide || 1) + " " + (high || 1));
  $("boxes").replaceChildren(...marks);
  for (const text of $("boxes").querySelectorAll("text")) {  // what is written stays in the picture
    const left = Number(text.getAttribute("x")), most = wide - text.getComputedTextLength() - size / 5;
    if (wide && left > most) text.setAttribute("x", Math.max(0, most));
  }
  const only = at => marks.forEach((mark, place) => mark.classList.toggle("away", at >= 0 && place !== at));
  $("found").replaceChildren(...said.map((box, at) => {
    const key = make("i");
    key.style.background = shadeOf(box.label);
    const [left, top, right, bottom] = box.box.map(Math.round);
    const line = make("li", {}, key, make("span", {textContent: box.label}),
      make("small", {textContent: (right - left) + " × " + (bottom - top) + " at " + left + ", " + top}), make("b", {textContent: percent(box.score)}));
    line.addEventListener("pointerenter", () => only(at));
    line.addEventListener("pointerleave", () => only(-1));
    return line;
  }));
}
function drawShares(shares, answer) {
  const ranked = Object.entries(shares || {}).sort((a, b) => b[1] - a[1]);
  const lines = ranked.slice(0, MOST_SHARES).map(([name, share]) => {
    const bar = make("i");
    bar.style.width = Math.max(0, Math.min(1, share ?? 0)) * 100 + "%";
    return make("div", {className: name === answer ? "share top" : "share"}, make("span", {textContent: name}),
      make("div", {className: "rail"}, bar), make("b", {textContent: share === null ? "–" : percent(share)}));
  });
  if (ranked.length > MOST_SHARES) lines.push(make("p", {className: "soft small", textContent: (ranked.length - MOST_SHARES) + " more classes are less likely"}));
  $("shares").replaceChildren(...lines);
}
function drawReasons(row) {
  const told = row.explanation;
  $("reasons").hidden = !told;
  if (!told) return;
  const isShare = Boolean(row.probabilities);
  const signed = value => (value < 0 ? "−" : "+") + (isShare ? (Math.abs(value) * 100).toFixed(1) : number(Math.abs(value)));
  const plain = value => isShare ? percent(value) : number(value);
  show("reasons-of", isShare ? "Probability of “" + told.of + "”, in percentage points" : told.of + ", in its own unit");
  const all = Object.entries(told.values), most = all.slice(0, MOST_REASONS), rest = all.slice(MOST_REASONS);
  const largest = Math.max(...most.map(([, value]) => Math.abs(value)), 1e-12);
  const sum = all.reduce((total, [, value]) => total + value, told.base);
  const line = (name, given, value) => {
    const side = value < 0 ? "down" : "up", bar = make("i", {className: side});
    bar.style.width = Math.min(1, Math.abs(value) / largest) * 50 + "%";
    const what = make("span", {title: name + given}, name, make("em", {textContent: given}));
    return make("div", {className: "reason"}, what, make("div", {className: "sides"}, bar),
      make("b", {className: side, textContent: signed(value)}));
  };
  const sent = record();
  const lines = most.map(([name, value]) => line(name, " " + text(sent[name]), value));
  if (rest.length) lines.push(line(rest.length + (rest.length > 1 ? " others" : " other"), " together", rest.reduce((total, [, value]) => total + value, 0)));
  const end = (kind, name, value) => make("div", {className: "reason " + kind}, make("span", {textContent: name}), make("b", {textContent: plain(value)}));
  $("bars").replaceChildren(end("start", "Typical rows, on average", told.base), ...lines, end("end", "This row", sum));
}
function text(value) {
  if (value === undefined || value === null) return "missing";
  const shown = number(value).replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*$/, "$1 $2");
  return shown.length > 24 ? shown.slice(0, 23) + "…" : shown;
}

/* ── the same in code ── */

function pythonOf(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return "[" + value.map(pythonOf).join(", ") + "]";
  if (typeof value === "object") return "{" + Object.entries(value).map(([name, one]) => JSON.stringify(name) + ": " + pythonOf(one)).join(", ") + "}";
  return JSON.stringify(value);
}
function snippet() {
  let sent;
  try { sent = record(); } catch (error) { show("snippet", error.error); return; }
  const url = new URL(spec.boxes ? "predict" : route(), document.baseURI).href;
  const pictures = entries.filter(entry => entry.zone);
  if (language === "curl" && pictures.length) {
    const quoted = text => "'" + text.replace(/'/g, "'\\''") + "'";
    const parts = entries.filter(entry => sent[entry.field.name] !== undefined || entry.zone).map(entry =>
      "  -F " + quoted(entry.field.name + "=" + (entry.zone ? "@" + entry.file() : String(sent[entry.field.name] ?? ""))));
    const alone = ["  -H 'content-type: " + pictures[0].type() + "'", "  --data-binary @" + pictures[0].file()];
    show("snippet", ["curl " + quoted(url), ...(key ? ["  -H \"x-api-key: $PALIO_KEY\""] : []), ...(entries.length === 1 ? alone : parts)].join(" \\\n"));
    return;
  }
  if (language === "curl") {
    const body = JSON.stringify({records: [sent]}).replace(/'/g, "'\\''");
    show("snippet", "curl '" + url + "' \\\n  -H 'content-type: application/json' \\\n" +
      (key ? "  -H \"x-api-key: $PALIO_KEY\" \\\n" : "") + "  -d '" + body + "'");
    return;
  }
  const values = Object.entries(sent).map(([name, value]) => [name, pythonOf(value)]);
  const files = pictures.map(entry => [entry.field.name, "base64.b64encode(open(" + JSON.stringify(entry.file()) + ", \"rb\").read()).decode()"]);
  const lines = Object.entries(Object.fromEntries([...values, ...files])).map(([name, value]) => "    " + JSON.stringify(name) + ": " + value + ",\n");
  show("snippet", (files.length ? "import base64\n" : "") + "import json\n" + (key ? "import os\n" : "") + "import urllib.request\n\nrecord = {\n" + lines.join("") +
    "}\nrequest = urllib.request.Request(\n    \"" + url + "\",\n    json.dumps({\"records\": [record]}).encode(),\n" +
    "    {\"content-type\": \"application/json\"" + (key ? ", \"x-api-key\": os.environ[\"PALIO_KEY\"]" : "") + "},\n)\n" +
    "with urllib.request.urlopen(request, timeout=10) as answer:\n    print(json.load(answer)[\"predictions\"][0])");
}

/* ── the page ── */

function subtitle(from) {
  const n = spec.classes.length, some = spec.classes.slice(0, 6).join(", ") + (n > 6 ? " and " + (n - 6) + " more" : "");
  if (spec.kind === "graph") return "Takes " + from + (n ? ", tells " + n + " classes apart" : "");
  if (spec.boxes) return "Finds what is where in a picture: " + some;
  return "Predicts " + spec.target + (n ? " (" + (n > 6 ? n + " classes" : some) + ")" : "") + " from " + from;
}
function open() {
  document.title = spec.model + " · Palio playground";
  show("title", spec.model);
  const model = spec.kind === "graph" ? "ONNX graph" : spec.family.replace(/_/g, " ") + " model";
  show("eyebrow", "Version " + spec.version + " · " + model);
  const n = spec.fields.length;
  const from = n + (spec.kind === "graph" ? (n > 1 ? " inputs" : " input") : n > 1 ? " columns" : spec.fields[0]?.type === "image" ? " picture" : " column");
  show("subtitle", subtitle(from));
  show("ask-title", spec.kind === "graph" ? "Give one record" : "Describe one row");
  const hasPictures = spec.fields.some(field => field.type === "image");
  show("ask-title", hasPictures && n === 1 ? "Show a picture" : $("ask-title").textContent);
  show("waiting-text", hasPictures ? "Choose, drop or paste a picture" + (n > 1 ? " and press Predict." : ".") : spec.kind === "graph" ? "The fields hold made-up values. Change them and press Predict."
    : "The fields hold typical values of the training data. Change some and press Predict" +
      (spec.can_explain ? ": the page shows what the model answers and what moved it there." : "."));
  $("notice").hidden = !spec.trouble; show("notice", spec.trouble);
  $("another").hidden = !spec.examples.length;
  $("explain-label").hidden = !spec.can_explain;
  $("filter").hidden = n < FILTER_FROM;
  $("forget").hidden = !key;
  show("footer", "Palio " + spec.palio + ". Each prediction of this page is logged like any other.");
  build(); snippet();
  $("door").hidden = true; $("room").hidden = false;
}
async function look() {
  const used = key;
  let told;
  try { told = await ask("GET", "playground.json"); } catch { told = {status: 0, found: {error: "the server does not answer"}}; }
  const {status, found} = told;
  if (used !== key) return;  // another key was typed meanwhile
  if (status === 200) { spec = found; open(); return; }
  if (spec) return;
  if (status === 401 || status === 403) {
    $("notice").hidden = true;
    show("title", "Playground");
    if (key) show("door-why", found.error);
    key = ""; $("door").hidden = false; $("key").focus();
    return;
  }
  show("title", status === 503 ? "No model is served yet" : "Playground");
  show("subtitle", status === 503 ? "This page opens by itself as soon as one is." : "");
  $("notice").hidden = false; show("notice", found.error);
  setTimeout(look, RETRY_MS);
}
$("door").addEventListener("submit", event => {
  event.preventDefault();
  key = $("key").value.trim(); $("key").value = "";
  look();
});
addEventListener("paste", event => {
  const file = [...(event.clipboardData?.files || [])].find(one => one.type.startsWith("image/"));
  const open = entries.filter(entry => entry.zone);
  if (!file || !open.length) return;
  event.preventDefault();
  (open.find(entry => entry.isEmpty()) || open[0]).take(file);
});
for (const kind of ["dragover", "drop"]) addEventListener(kind, event => { if (entries.some(entry => entry.zone)) event.preventDefault(); });
$("forget").addEventListener("click", () => location.reload());
$("ask").addEventListener("submit", event => { event.preventDefault(); predict(); });
$("reset").addEventListener("click", () => fill(Object.fromEntries(spec.fields.map(field => [field.name, field.typical]))));
$("another").addEventListener("click", () => fill(spec.examples[example++ % spec.examples.length]));
$("explain").addEventListener("change", snippet);
$("sure").addEventListener("input", drawBoxes);
$("filter").addEventListener("input", () => {
  const part = $("filter").value.trim().toLowerCase();
  entries.forEach(entry => { entry.box.hidden = !entry.field.name.toLowerCase().includes(part); });
});
$("filter").addEventListener("keydown", event => { if (event.key === "Enter") event.preventDefault(); });
for (const name of ["curl", "python"])
  $("tab-" + name).addEventListener("click", () => {
    language = name;
    ["curl", "python"].forEach(one => $("tab-" + one).setAttribute("aria-selected", String(one === name)));
    snippet();
  });
$("copy").addEventListener("click", async () => {
  const shown = $("snippet").textContent;
  try { await navigator.clipboard.writeText(shown); }
  catch { getSelection().selectAllChildren($("snippet")); document.execCommand("copy"); }
  show("copy", "Copied"); setTimeout(() => show("copy", "Copy"), 1500);
});
$("openapi").addEventListener("click", async event => {
  if (!key) return;
  event.preventDefault();
  const {found} = await ask("GET", "openapi.json");
  const made = URL.createObjectURL(new Blob([JSON.stringify(found, null, 2)], {type: "application/json"}));
  make("a", {href: made, download: "openapi.json"}).click();
  setTimeout(() => URL.revokeObjectURL(made), RETRY_MS);
});
look();
