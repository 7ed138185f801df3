// The time as the server has it: what ends, ends by its clock and not by that of this machine.

class Clock {
  #ahead = 0;
  #best = Number.POSITIVE_INFINITY;
  now = $state(Date.now());

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.#tick();
    }, 1000);
    document.addEventListener('visibilitychange', () => this.#tick());
  }

  #tick() {
    this.now = Date.now() + this.#ahead;
  }

  /** Takes the `Date` of an answer, which says whole seconds, for what it is worth. */
  learn(date: string | null) {
    const said = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(said)) return;
    const ahead = said + 500 - Date.now();
    // Within the second that is rounded away the two agree.
    if (Math.abs(ahead) < 1500) this.#ahead = 0;
    else if (Math.abs(ahead - this.#ahead) > 1500 || Math.abs(ahead) < this.#best) this.#ahead = ahead;
    this.#best = Math.abs(this.#ahead);
  }
}

export const clock = new Clock();
