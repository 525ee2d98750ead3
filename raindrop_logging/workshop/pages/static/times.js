// Times in the reader's zone: how long ago when recent, else date and time.
const STEPS = [[60, 1, " s"], [3600, 60, " min"], [86400, 3600, " h"]];
const WITH_ZONE = { dateStyle: "medium", timeStyle: "long" };
const SHORT = { dateStyle: "short", timeStyle: "short" };

export function tellTime(time) {
  const moment = new Date(time.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  time.title = moment.toLocaleString([], WITH_ZONE);
  if ("clock" in time.dataset) { time.textContent = moment.toLocaleTimeString(); return; }
  const seconds = Math.round((Date.now() - moment) / 1000);
  const step = seconds >= 0 && STEPS.find(([limit]) => seconds < limit);
  time.textContent = step ? Math.floor(seconds / step[1]) + step[2] + " ago" : moment.toLocaleString([], SHORT);
}

export function tellTimes() {
  document.querySelectorAll("time").forEach(tellTime);
}
