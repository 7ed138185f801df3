// Who is signed in, and what is worth showing them.
import { begin, call, type Schemas } from './api/client';
import { live } from './api/live.svelte';

class Session {
  state = $state<'unknown' | 'in' | 'out' | 'over' | 'elsewhere' | 'unreachable'>('unknown');
  /** The address at which this page can be used, where this is not it. */
  own = $state('');
  me = $state.raw<Schemas['Me'] | undefined>();

  async begin() {
    this.state = 'unknown';
    try {
      const known = await begin(() => this.#over());
      if (known !== true) {
        this.own = known || '';
        this.state = known ? 'elsewhere' : 'out';
        return;
      }
      this.me = await call('get', '/v1/me');
      this.state = 'in';
      live.begin();
    } catch {
      this.state = 'unreachable';
    }
  }

  /** Whether policy lets them, for the deployment as a whole. */
  may(action: string): boolean {
    return this.me?.may?.includes(action) ?? false;
  }

  #over() {
    if (this.state === 'in') this.state = 'over';
    live.end();
  }

  async end() {
    await call('delete', '/v1/sessions/current').catch(() => undefined);
    live.end();
    location.assign('/sign-in');
  }
}

export const session = new Session();
