// The lines in which two texts differ, as few as there can be (Myers, 1986), within a bound.

export interface Change {
  sign: ' ' | '+' | '-';
  text: string;
}

/** Beyond so many changes the texts are told one after the other. */
const MOST = 1000;

export function diff(before: string, after: string): Change[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  const longest = Math.min(MOST, a.length + b.length);
  let reach = new Map<number, number>([[1, 0]]);
  const steps: Map<number, number>[] = [];
  for (let d = 0; d <= longest; d += 1) {
    steps.push(new Map(reach));
    const next = new Map(reach);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (next.get(k - 1) ?? -1) < (next.get(k + 1) ?? -1));
      let x = down ? (next.get(k + 1) ?? 0) : (next.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return walk(a, b, steps, k);
    }
    reach = next;
  }
  return [...a.map((text): Change => ({ sign: '-', text })), ...b.map((text): Change => ({ sign: '+', text }))];
}

function walk(a: string[], b: string[], steps: Map<number, number>[], last: number): Change[] {
  const out: Change[] = [];
  let [x, k] = [a.length, last];
  for (let d = steps.length - 1; d >= 0; d -= 1) {
    const reach = steps[d]!;
    const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const from = down ? k + 1 : k - 1;
    const start = d === 0 ? 0 : (reach.get(from) ?? 0);
    const turn = d === 0 ? 0 : down ? start : start + 1;
    while (x > turn) {
      x -= 1;
      out.push({ sign: ' ', text: a[x]! });
    }
    if (d === 0) break;
    if (down) out.push({ sign: '+', text: b[start - from]! });
    else out.push({ sign: '-', text: a[start]! });
    [x, k] = [start, from];
  }
  return out.reverse();
}

/** What changed, with a few lines around it; what is left out is told by how many lines it has. */
export function around(changes: Change[], lines = 3): (Change | number)[] {
  const near = changes.map((_, n) => changes.slice(Math.max(0, n - lines), n + lines + 1).some((one) => one.sign !== ' '));
  const out: (Change | number)[] = [];
  changes.forEach((change, n) => {
    const last = out.at(-1);
    if (near[n]) out.push(change);
    else if (typeof last === 'number') out[out.length - 1] = last + 1;
    else out.push(1);
  });
  return out;
}
