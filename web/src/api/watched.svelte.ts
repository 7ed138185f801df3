// An answer of the API that stays true: asked for at once, when something happened, and now and then.
import { Problem } from './client';
import { live } from './live.svelte';

export interface Watched<T> {
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  refresh(): Promise<void>;
}

/** For a component: follows until that is gone, and asks anew when what `ask` reads has changed. */
export function watched<T>(ask: () => Promise<T>, every = 30_000): Watched<T> {
  let data = $state.raw<T | undefined>();
  let problem = $state.raw<Problem | undefined>();
  let turn = 0;

  async function refresh(): Promise<void> {
    turn += 1;
    const mine = turn;
    try {
      const got = await ask();
      // A later question's answer is not taken back by an earlier one's.
      if (mine === turn) {
        data = got;
        problem = undefined;
      }
    } catch (error) {
      if (mine === turn) problem = Problem.of(error);
    }
  }

  $effect(() => {
    void refresh();
    const off = live.on(() => void refresh());
    const timer = setInterval(() => live.awake && void refresh(), every);
    return () => {
      off();
      clearInterval(timer);
    };
  });

  return {
    get data() { return data; },
    get problem() { return problem; },
    refresh,
  };
}
