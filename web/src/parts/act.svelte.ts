// One thing that somebody does: once at a time, under one key for as long as its outcome is not known.
import { newKey, Problem } from '../api/client';

export class Act {
  busy = $state(false);
  problem = $state.raw<Problem | undefined>();
  #key = newKey();
  #of = '';

  /** Does it; whether it was done. What says the same again after a lost answer is the same act. */
  async do(work: (key: string) => Promise<void>, says = ''): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = undefined;
    if (says !== this.#of) {
      this.#of = says;
      this.#key = newKey();
    }
    try {
      await work(this.#key);
      this.#key = newKey();
      return true;
    } catch (error) {
      this.problem = Problem.of(error);
      // The server has answered: the next try is another one.
      if (this.problem.status !== 0) this.#key = newKey();
      return false;
    } finally {
      this.busy = false;
    }
  }
}
