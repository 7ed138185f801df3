// The event stream: something happened, so what is shown is asked for anew. It rests while nobody looks, because a page
// that is left open must not keep a session from ending for want of use.
import { headers } from './client';

const REST_AFTER = 15 * 60_000;
const LONGEST_WAIT = 30_000;

type Listener = () => void;

class Live {
  state = $state<'joining' | 'live' | 'lost' | 'resting'>('joining');
  #listeners = new Set<Listener>();
  #last = '';
  #stop: AbortController | undefined;
  #touched = Date.now();
  #told: ReturnType<typeof setTimeout> | undefined;
  #on = false;

  /** Begins to follow. */
  begin() {
    if (this.#on) return;
    this.#on = true;
    const touch = () => {
      this.#touched = Date.now();
      if (this.state === 'resting') this.#wake();
    };
    for (const event of ['pointerdown', 'keydown', 'focusin'] as const) addEventListener(event, touch, { passive: true });
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#rest() : touch()));
    setInterval(() => {
      if (Date.now() - this.#touched > REST_AFTER) this.#rest();
    }, 10_000);
    void this.#follow();
  }

  /** Ends for good: nobody is signed in. */
  end() {
    this.#on = false;
    this.#rest();
  }

  /** Whether it makes sense to ask for anything now. */
  get awake(): boolean {
    return this.#on && this.state !== 'resting';
  }

  /** Calls back when something happened; gives what ends that. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell() {
    // Many records come with one act.
    this.#told ??= setTimeout(() => {
      this.#told = undefined;
      for (const listener of this.#listeners) listener();
    }, 150);
  }

  #rest() {
    this.state = 'resting';
    this.#stop?.abort();
  }

  #wake() {
    if (!this.#on) return;
    this.#tell();
    void this.#follow();
  }

  async #follow() {
    this.state = 'joining';
    let wait = 1000;
    const stop = new AbortController();
    this.#stop = stop;
    while (!stop.signal.aborted) {
      try {
        const sent = { ...headers(), ...(this.#last ? { 'last-event-id': this.#last } : {}) };
        const answer = await fetch('/v1/events', { headers: sent, signal: stop.signal });
        if (!answer.ok || !answer.body) throw new Error(String(answer.status));
        this.state = 'live';
        wait = 1000;
        await this.#read(answer.body);
      } catch {
        // Asked again below.
      }
      if (stop.signal.aborted) return;
      this.state = 'lost';
      await new Promise((again) => setTimeout(again, wait * (0.75 + Math.random() / 2)));
      wait = Math.min(wait * 2, LONGEST_WAIT);
      if (!stop.signal.aborted) this.#tell();
    }
  }

  /** Reads `text/event-stream`: of an event only its id matters here. */
  async #read(body: ReadableStream<Uint8Array>) {
    const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
    let kept = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (kept + value).split('\n');
      kept = lines.pop() ?? '';
      for (const line of lines) {
        if (!line.startsWith('id:')) continue;
        this.#last = line.slice(3).trim();
        this.#tell();
      }
    }
  }
}

export const live = new Live();
