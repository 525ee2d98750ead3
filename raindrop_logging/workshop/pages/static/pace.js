// Work that many changes ask for, done soon after the first and never more often than said.
export function every(least, work) {
  let waiting = 0;
  let last = -Infinity;
  return () => {
    if (waiting) return;
    const wait = Math.max(150, last + least - performance.now());
    waiting = setTimeout(async () => {
      last = performance.now();
      waiting = 0;
      await work();
    }, wait);
  };
}
