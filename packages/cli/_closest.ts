/** The candidate that a mistyped word most likely means; `undefined` where none is near. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  // One mistake in a short word, two in a longer one.
  let least = word.length < 5 ? 2 : 3;
  for (const candidate of candidates) {
    const mistakes = distance(word, candidate);
    if (mistakes < least) {
      least = mistakes;
      best = candidate;
    }
  }
  return best;
}

/** How many letters must be added, left out, changed or swapped with their neighbour. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let mistakes = Math.min(changed, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        mistakes = Math.min(mistakes, beforeLast[j - 2]! + 1);
      }
      row.push(mistakes);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
