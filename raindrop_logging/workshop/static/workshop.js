"use strict";
// Everything that arrives is put on the page as text, never as markup.

// Whether the page's event is this one, or launched it, or was launched by it.
const concerns = (id) => document.body.dataset.event === id
  || [...document.querySelectorAll("[data-linked]")].some((place) => place.dataset.linked === id);

const byId = (rows, id) => [...rows.children].find((row) => row.dataset.id === id);

function fillRow(row, event) {
  row.dataset.id = event.event_id;
  row.dataset.time = event.timestamp;
  row.classList.toggle("pending", event.is_pending);
  row.querySelector("a").href = "/events/" + encodeURIComponent(event.event_id);
  for (const place of row.querySelectorAll("[data-text]")) {
    const text = event[place.dataset.text];
    place.textContent = text || (place.dataset.text === "event" ? "(unnamed)" : "");
  }
  for (const place of row.querySelectorAll("[data-count]")) {
    const count = event[place.dataset.count];
    place.hidden = !count;
    place.querySelector("b").textContent = count;
  }
  const time = row.querySelector("time");
  time.dateTime = event.timestamp;
  tellTime(time);
}

function showInList(rows, event) {
  const known = byId(rows, event.event_id);
  const oldest = rows.lastElementChild;
  const older = document.querySelector("[rel=next]") && oldest && event.timestamp < oldest.dataset.time;
  if (!known && (older || !("newest" in rows.dataset))) return;
  const row = known || document.querySelector("template[data-row]").content.firstElementChild.cloneNode(true);
  const moved = row.dataset.time !== event.timestamp;
  fillRow(row, event);
  if (!known || moved) {
    const next = [...rows.children].find((other) => other !== row && other.dataset.time <= event.timestamp);
    rows.insertBefore(row, next || null);
  }
  row.classList.remove("fresh");
  void row.offsetWidth; // restarts the highlight
  row.classList.add("fresh");
  document.querySelector("[data-empty]").hidden = true;
  if (rows.children.length > 500) rows.lastElementChild.remove();
}

async function refreshTotals() {
  const answer = await fetch("/api/health");
  if (!answer.ok) return;
  const health = await answer.json();
  for (const total of document.querySelectorAll("[data-total]")) total.textContent = health[total.dataset.total];
}

async function refreshEvent() {
  const answer = await fetch(location.pathname);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const open of document.querySelectorAll("details[id][open]")) {
    const same = page.getElementById(open.id);
    if (same) same.open = true;
  }
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  tellTimes();
}

function tellTime(time) {
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const seconds = Math.round((Date.now() - moment) / 1000);
  const steps = [[60, 1, "s"], [3600, 60, " min"], [86400, 3600, " h"]];
  const step = seconds >= 0 && steps.find(([limit]) => seconds < limit);
  time.title = moment.toLocaleString();
  time.textContent = step ? Math.floor(seconds / step[1]) + step[2] + " ago" : moment.toLocaleString();
}

function tellTimes() {
  document.querySelectorAll("time").forEach(tellTime);
}

function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
}

function listen() {
  const rows = document.querySelector("[data-rows]");
  const live = document.querySelector("[data-live]");
  const source = new EventSource("/api/stream");
  const soon = (work) => { let timer = 0; return () => { clearTimeout(timer); timer = setTimeout(work, 150); }; };
  const eventSoon = soon(refreshEvent);
  const totalsSoon = soon(refreshTotals);
  source.onopen = () => { live.textContent = "live"; live.classList.add("on"); };
  source.onerror = () => { live.textContent = "not connected"; live.classList.remove("on"); };
  source.addEventListener("change", (message) => {
    const event = JSON.parse(message.data);
    if (rows) {
      showInList(rows, event);
      totalsSoon();
    }
    if (concerns(event.event_id)) eventSoon();
  });
}

const endpoint = document.querySelector("[data-endpoint]");
if (endpoint) endpoint.textContent = location.origin + "/v1/";
tellTimes();
setInterval(tellTimes, 15000);
addEventListener("hashchange", openTarget);
openTarget();
listen();
