// Saved filters: keeping the present one under a name, and forgetting one.
const address = (name) => "/api/filters/" + encodeURIComponent(name);

async function ask(panel, name, request) {
  const answer = await fetch(address(name), request);
  if (answer.ok) { location.reload(); return; }
  const problem = panel.querySelector("[data-keep-problem]");
  problem.textContent = (await answer.json()).message;
  problem.hidden = false;
}

export function startSavedFilters() {
  const panel = document.querySelector("[data-saved]");
  if (!panel) return;
  for (const button of panel.querySelectorAll("[data-forget]")) {
    button.hidden = false;
    button.addEventListener("click", () => ask(panel, button.dataset.forget, { method: "DELETE" }));
  }
  const keep = panel.querySelector("[data-keep]");
  if (!keep) return;
  keep.hidden = false;
  const field = keep.querySelector("[data-keep-name]");
  const save = () => field.value.trim() ? ask(panel, field.value.trim(), {
    method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ query: keep.dataset.keep }),
  }) : field.focus();
  keep.querySelector("[data-keep-save]").addEventListener("click", save);
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") save(); });
}
