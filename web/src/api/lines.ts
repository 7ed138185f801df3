// Answers of the API that come line by line, each a JSON object, for as long as they come.
import { headers, Problem, refused } from './client';
import { words } from '../words';

/** Hands over each line; returns when there are no more, and throws when it breaks off before its end. */
export async function lines<T>(path: string, signal: AbortSignal, each: (line: T) => void): Promise<void> {
  const answer = await fetch(path, { headers: headers(), signal }).catch((error: unknown) => {
    throw signal.aborted ? error : new Problem(0, 'unreachable', words.problem.unreachable);
  });
  if (!answer.ok || !answer.body) throw await refused(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let kept = '';
  for (;;) {
    const { value, done } = await reader.read().catch((error: unknown) => {
      throw signal.aborted ? error : Problem.brokenOff();
    });
    const all = (kept + (value ?? '')).split('\n');
    kept = done ? '' : (all.pop() ?? '');
    for (const line of all) if (line) each(JSON.parse(line) as T);
    if (done) return;
  }
}
