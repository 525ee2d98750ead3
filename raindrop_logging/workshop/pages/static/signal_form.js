// The form that defines a signal: tries it on stored events while one types, and saves it.
// Whatever arrives is put on the page as text, never as markup.
import { tellTime } from "./times.js";

const WAIT = 250; // ms without a key before stored events are asked
const form = document.querySelector("[data-define]");
const preview = document.querySelector("[data-preview]");
const part = (name) => preview.querySelector(`[data-${name}]`);
const LISTS = ["keywords", "patterns", "unless", "only_with"];
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
let asked = new AbortController();
let timer = 0;

// Lines that say something, each with the number it has in its field.
const lines = (name) => form.elements[name].value.split("\n")
  .map((text, at) => ({ text: name === "keywords" || name === "only_with" ? text.trim() : text.replace(/\r$/, ""), at: at + 1 }))
  .filter((line) => line.text.trim());

function definition() {
  const said = { on: form.elements.on.value };
  for (const name of LISTS) {
    const texts = lines(name).map((line) => line.text);
    if (texts.length) said[name] = texts;
  }
  const short = form.elements.shorter_than.value.trim();
  if (short) said.shorter_than = /^\d+$/.test(short) ? Number(short) : short;
  if (form.elements.case_sensitive.checked) said.case_sensitive = true;
  return said;
}

const saysNothing = (said) => !said.keywords && !said.patterns && !said.shorter_than && said.on !== "tool_error";

function ask(method, path, body, signal) {
  return fetch(path, { method, signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

function clearProblems() {
  for (const place of form.querySelectorAll(".problem")) place.hidden = true;
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

// Beside the field that the answer names; of a list also which line.
function tellProblem({ field, message }) {
  const [, name, number] = /^(.*?)(?:\[(\d+)\])?$/.exec(field || "");
  const input = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const place = input?.closest(".field").querySelector(".problem") || form.querySelector("[data-problem]");
  const line = number !== undefined && lines(name.replace("definition.", ""))[Number(number)];
  place.textContent = (line ? `Line ${line.at}: ` : "") + message;
  place.hidden = false;
  if (input?.matches("input, textarea")) input.setAttribute("aria-invalid", "true");
  const folded = place.closest("details");
  if (folded) folded.open = true;
}

function sample(hit) {
  const row = part("sample").content.firstElementChild.cloneNode(true);
  row.querySelector("a").href = "/events/" + encodeURIComponent(hit.event.event_id);
  row.querySelector("b").textContent = `${hit.event.event || "(unnamed)"} · ${hit.place.replace("_", " ")}`;
  const time = row.querySelector("time");
  time.dateTime = hit.event.timestamp || "";
  tellTime(time);
  row.querySelector(".excerpt").append(...hit.excerpt.map((piece) => {
    if (!piece.hit) return piece.text;
    const mark = document.createElement("mark");
    mark.textContent = piece.text;
    return mark;
  }));
  return row;
}

function show(found) {
  const share = found.scanned ? ` (${(100 * found.count / found.scanned).toFixed(1)} %)` : "";
  const among = found.complete ? `all ${count(found.scanned, "stored event")}` : `the newest ${found.scanned.toLocaleString("en")} of ${count(found.events, "stored event")}`;
  part("count").textContent = found.events ? `${count(found.count, "hit")}${share} in ${among}` : "No events are stored yet.";
  part("slow").textContent = found.problem ? `Too slow: ${found.problem}` : "";
  part("slow").hidden = !found.problem;
  part("samples").replaceChildren(...found.samples.map(sample));
}

function showNothing(text) {
  part("count").textContent = text;
  part("slow").hidden = true;
  part("samples").replaceChildren();
}

async function look() {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  clearProblems();
  const said = definition();
  if (saysNothing(said)) { showNothing("Type a word or a pattern, and see which stored events have it."); part("busy").hidden = true; return; }
  part("busy").hidden = false;
  try {
    const answer = await ask("POST", "/api/signals/preview", { definition: said }, signal);
    const found = await answer.json();
    if (answer.ok) show(found);
    else { showNothing("Nothing to show until this is mended."); tellProblem(found); }
  } catch (error) {
    if (error.name === "AbortError") return;
    showNothing("The Workshop does not answer.");
  }
  if (!signal.aborted) part("busy").hidden = true;
}

async function save(event) {
  event.preventDefault();
  clearTimeout(timer);
  clearProblems();
  const id = form.dataset.signalId;
  const draft = {
    name: form.elements.name.value.trim(),
    description: form.elements.description.value.trim(),
    sentiment: form.elements.sentiment.value || null,
    definition: definition(),
  };
  try {
    const answer = id === undefined ? await ask("POST", "/api/signals", draft) : await ask("PATCH", "/api/signals/" + encodeURIComponent(id), draft);
    const said = await answer.json();
    if (answer.ok) location.assign("/signals/" + encodeURIComponent(said.id));
    else tellProblem(answer.status === 409 ? { ...said, field: "name" } : said);
  } catch {
    tellProblem({ message: "The Workshop does not answer. Is it still running?" });
  }
  form.querySelector("[aria-invalid]")?.focus();
}

form.addEventListener("input", (event) => {
  if (["name", "description", "sentiment"].includes(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(look, WAIT);
});
form.addEventListener("submit", save);
look();
