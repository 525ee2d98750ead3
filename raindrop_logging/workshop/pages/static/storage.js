// What the browser remembers; where it may not remember, nothing fails.

export function remembered(key, storage = () => localStorage) {
  try { return storage().getItem(key); } catch { return null; }
}

export function remember(key, value, storage = () => localStorage) {
  try { storage().setItem(key, value); } catch { /* it holds for this page only */ }
}
