// What waits for the answer of whoever is signed in: counted in the menu, listed on its page.
import { call, type Request } from './api/client';
import { live } from './api/live.svelte';
import { Problem } from './api/client';

/** Who asks is often nobody one hears of, so this is asked for now and then besides. */
const EVERY = 15_000;

class Inbox {
  requests = $state.raw<Request[] | undefined>();
  problem = $state.raw<Problem | undefined>();

  get count(): number {
    return this.requests?.length ?? 0;
  }

  async refresh() {
    try {
      const page = await call('get', '/v1/requests', { query: { waiting_for_me: true } });
      this.requests = page.items.toReversed();
      this.problem = undefined;
    } catch (error) {
      this.problem = Problem.of(error);
    }
  }

  /** For the one component that is always there. */
  follow() {
    $effect(() => {
      void this.refresh();
      const off = live.on(() => void this.refresh());
      const timer = setInterval(() => live.awake && void this.refresh(), EVERY);
      return () => {
        off();
        clearInterval(timer);
      };
    });
  }
}

export const inbox = new Inbox();
