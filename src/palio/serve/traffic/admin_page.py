"""The page of the admin port: who may do what, where the rollout stands. The shell holds no data; a key fetches it."""

from __future__ import annotations

import base64
import hashlib

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6577; --line: #d9dee7; --paper: #fff; --ground: #f5f7fa;
  --good: #1a7f4b; --bad: #b3261e; --wait: #96690a; --mark: #2f5fd0 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf4; --soft: #9aa5b8; --line: #333c4d; --paper: #1a202c;
  --ground: #12161f; --good: #5fd39a; --bad: #ff8a80; --wait: #f2c14e; --mark: #8ab0ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 0 0 .6rem }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem;
  margin-top: 1rem; overflow-x: auto }
p { margin: .3rem 0 } .soft { color: var(--soft) } .good { color: var(--good) } .bad { color: var(--bad) }
.wait { color: var(--wait) }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .8rem .35rem 0;
  border-top: 1px solid var(--line); vertical-align: top } th { color: var(--soft); font-weight: 500; border: 0 }
ol { list-style: none; margin: .6rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem }
li { border: 1px solid var(--line); border-radius: 999px; padding: .1rem .8rem; color: var(--soft) }
li.done { color: var(--good); border-color: var(--good) } li.now { color: var(--paper); background: var(--mark);
  border-color: var(--mark) }
.bar { height: .6rem; border-radius: 99px; background: var(--line); overflow: hidden; margin: .6rem 0 }
.bar div { height: 100%; background: var(--mark) }
input, select, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: 7px; padding: .35rem .7rem } button { cursor: pointer } button:hover { border-color: var(--mark) }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center }
label { display: flex; gap: .4rem; align-items: center } [hidden] { display: none !important }
"""
_SCRIPT = """
"use strict";
let key = "";
const $ = id => document.getElementById(id);
function node(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}
async function ask(method, path, body) {
  const headers = {"x-api-key": key};
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const answer = await fetch(path, {method, headers, body: sent, cache: "no-store"});
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error + (found.hint ? ". " + found.hint : ""));
  return found;
}
function fill(id, ...children) { $(id).replaceChildren(...children); }
function table(heads, rows) {
  const made = node("table"), head = node("tr");
  heads.forEach(text => head.append(node("th", text)));
  made.append(head);
  rows.forEach(cells => {
    const row = node("tr");
    cells.forEach(cell => row.append(Array.isArray(cell) ? node("td", cell[0], cell[1]) : node("td", cell)));
    made.append(row);
  });
  return made;
}
const day = text => text ? text.slice(0, 16).replace("T", " ") : "";
function when(rule) {
  const parts = [];
  if (rule.days !== "*") parts.push(rule.days);
  if (rule.hours !== "*") parts.push(rule.hours);
  if (rule.since) parts.push("from " + day(rule.since));
  if (rule.until) parts.push("until " + day(rule.until));
  return parts.join(", ") || "always";
}
const any = (value, word) => value === "*" ? word : value;
function who(rule) {
  if (rule.caller !== "*") return rule.caller + (rule.role === "*" ? "" : " as " + rule.role);
  return rule.role === "*" ? "everyone" : "role " + rule.role;
}
function showPolicy(policy) {
  const rows = policy.rules.map((rule, number) => [
    String(number), rule.allow ? ["may", "good"] : ["may not", "bad"], who(rule), any(rule.model, "any model"),
    any(rule.version, "any version"), any(rule.purpose, "any purpose"), when(rule),
    rule.quota === null ? "" : rule.quota.toLocaleString("en") + " rows per " + rule.per, rule.reason]);
  const denies = policy.otherwise === "deny";
  rows.push(["", denies ? ["may not", "bad"] : ["may", "good"], "everyone else", "", "", "", "", "",
    denies ? "there are keys, so what no rule allows is denied" : "there are no keys"]);
  const from = policy.line ? "line " + policy.line + " of the ledger" : "palio.toml";
  fill("policy", node("p", "The first rule that fits decides. From " + from + ".", "soft"),
    table(["", "", "who", "model", "version", "purpose", "when (UTC)", "quota", "reason"], rows));
}
function showKeys(keys) {
  const now = new Date().toISOString();
  const rows = keys.map(k => [k.caller, k.admin ? "admin" : k.role, day(k.created_at),
    !k.expires_at ? "never" : k.expires_at <= now ? [day(k.expires_at) + " (over)", "bad"] : day(k.expires_at)]);
  fill("keys", rows.length ? table(["caller", "role", "since", "ends (UTC)"], rows)
    : node("p", "Nobody has a key: everyone may ask."));
}
function step(one) {
  if (one.kind === "set_weight") return Math.round(one.weight * 100) + " %";
  if (one.kind === "analysis") return "look";
  if (one.kind === "pause") return one.duration_s === null ? "wait for a person" : "wait " + one.duration_s + " s";
  return one.kind;
}
function showRollout(found) {
  $("actions").hidden = !found || !["running", "paused"].includes(found.state.status);
  if (!found) { fill("rollout", node("p", "There never was a rollout.", "soft")); return; }
  const {rollout, state} = found, steps = node("ol");
  const colour = {promoted: "good", running: "good", paused: "wait"}[state.status] || "bad";
  rollout.steps.forEach((one, number) => steps.append(node("li", step(one),
    number < state.step ? "done" : number === state.step && colour !== "bad" ? "now" : "")));
  const bar = node("div", undefined, "bar"), part = node("div");
  part.style.width = state.weight * 100 + "%";
  bar.append(part);
  const percent = Math.round(state.weight * 100) + " %";
  const share = state.mode === "canary" ? "The challenger answers " + percent + " of the requests."
    : state.mode === "shadow" ? "The challenger shadows the champion; nobody sees its answers."
    : "The champion answers everything.";
  fill("rollout", node("p", state.status + (state.reason ? ": " + state.reason : ""), colour), steps, bar,
    node("p", share), node("p", "Champion version " + rollout.champion.version + ", challenger bundle " +
      rollout.challenger.bundle.slice(0, 12) + ", rollout " + rollout.id + ", looks: " + state.successes + " good, " +
      state.failures + " bad, " + state.inconclusive + " could not tell.", "soft"));
}
function showStatus(status) {
  $("model").textContent = status.model;
  const rows = Object.entries(status).filter(([name]) => !["model", "rollout"].includes(name))
    .map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]);
  fill("status", table(["", ""], rows));
  showRollout(status.rollout);
}
async function refresh() {
  const [status, policy, keys] = await Promise.all(["/status", "/policy", "/keys"].map(path => ask("GET", path)));
  showStatus(status); showPolicy(policy); showKeys(keys.keys);
  $("inside").hidden = false; $("door").hidden = true;
}
function say(error) { $("trouble").textContent = error ? error.message : ""; }
$("door").addEventListener("submit", event => {
  event.preventDefault(); key = $("key").value.trim(); $("key").value = "";
  refresh().then(() => { say(null); setInterval(() => refresh().catch(say), 3000); }).catch(say);
});
$("try").addEventListener("submit", event => {
  event.preventDefault();
  const body = {caller: $("caller").value || "anonymous", purpose: $("purpose").value, version: $("version").value};
  ask("POST", "/policy/check", body).then(found => {
    $("verdict").className = found.allowed ? "good" : "bad";
    $("verdict").textContent = (found.allowed ? "may" : "may not (" + found.status + ")") +
      (found.rule >= 0 ? ", by rule " + found.rule : ", as no rule fits") + (found.reason ? ": " + found.reason : "");
    say(null);
  }).catch(say);
});
for (const action of ["pause", "resume", "abort", "promote"])
  $(action).addEventListener("click", () => {
    if (!confirm("Really " + action + " the rollout?")) return;
    const why = {reason: $("reason").value};
    ask("POST", "/rollout/" + action, why).then(() => { say(null); return refresh(); }).catch(say);
  });
"""
_BODY = """
<main>
<h1>Palio · <span id="model">admin</span></h1>
<p id="trouble" class="bad" role="alert"></p>
<form id="door"><label>Admin key <input id="key" type="password" autocomplete="off" required></label>
<button>Open</button><span class="soft">kept in this tab only</span></form>
<div id="inside" hidden>
<section><h2>Rollout</h2><div id="rollout"></div>
<div id="actions" hidden><form><input id="reason" placeholder="why" maxlength="200">
<button type="button" id="pause">Pause</button><button type="button" id="resume">Resume</button>
<button type="button" id="abort">Abort</button><button type="button" id="promote">Promote now</button></form></div>
</section>
<section><h2>Who may do what</h2><div id="policy"></div></section>
<section><h2>Try it</h2><form id="try"><label>caller <input id="caller" placeholder="anonymous" size="12"></label>
<label>purpose <input id="purpose" size="12"></label>
<label>version <input id="version" value="champion" size="10"></label><button>Ask</button>
<span id="verdict"></span></form>
</section>
<section><h2>Keys</h2><div id="keys"></div></section>
<section><h2>Server</h2><div id="status"></div></section>
</div></main>
"""


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Palio admin</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<style>{_STYLE}</style></head><body>{_BODY}<script>{_SCRIPT}</script></body></html>"
)
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_source(_STYLE)}; script-src {_source(_SCRIPT)}; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""Only this very script and style run, so a text from the ledger cannot become one."""
