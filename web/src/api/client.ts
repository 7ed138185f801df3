// Calls of the public API, typed by its document. The session is the browser's own cookie, which no script can read; the
// word that the server gives to its own pages says that a call comes from one of them.
import { clock } from '../clock.svelte';
import { words } from '../words';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Grant = Schemas['GrantView'];
export type Request = Schemas['RequestView'];
export type Item = Schemas['ItemView'];
export type Askable = Schemas['AskableView'];
export type Why = Schemas['WhyView'];
/** What somebody is about to ask for: one of those they may, or one they only know by name. */
export type Wanted = Partial<Askable> & { resource: string; role: string };

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type Sent<O> = O extends { requestBody?: { content: { 'application/json': infer B } } } ? B : undefined;
type Asked<O> = O extends { parameters: { query?: infer Q } } ? Q : undefined;
type Named<O> = O extends { parameters: { path: infer N } } ? N : undefined;
type Json<R> = R extends { content: { 'application/json': infer T } } ? T : void;
type Got<O> = O extends { responses: infer R }
  ? R extends { 200: infer A } ? Json<A> : R extends { 201: infer A } ? Json<A> : void
  : never;

export interface Particulars<O> {
  path?: Named<O>;
  query?: Asked<O>;
  body?: Sent<O>;
  /** The same for each try of one intent, so that what is tried twice is done once. */
  key?: string;
}

/** An error as the server words it (RFC 9457), or as we do where it could not be asked. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly reasons: string[] = [],
    readonly fields: { field: string; problem: string }[] = [],
  ) {
    super(detail);
  }

  /** An answer that did not come to its end: what is there is not all of it. */
  static brokenOff(): Problem {
    return new Problem(0, 'broken_off', words.problem.brokenOff);
  }

  static of(error: unknown): Problem {
    return error instanceof Problem ? error : new Problem(0, 'unreachable', words.problem.unreachable);
  }
}

let page = '';
let signedOut: () => void = () => {};

/** Whether somebody is signed in; else the address at which this page can be used, if this is not it. */
export async function begin(whenSignedOut: () => void): Promise<boolean | string> {
  signedOut = whenSignedOut;
  const answer = await fetch('/sign-in/session', { headers: { accept: 'application/json' } });
  const said = (await answer.json()) as { page: string | null; own: string };
  if (new URL(said.own).origin !== location.origin) return said.own;
  page = said.page ?? '';
  return page !== '';
}

/** What a WebSocket of ours offers: the word of this page goes along, because no header can. */
export function offered(protocol: string): string[] {
  return [protocol, `wane.page.${page}`];
}

/** What a call of ours carries. */
export function headers(): Record<string, string> {
  return { 'wane-page': page };
}

export async function call<P extends keyof paths, M extends Method>(
  method: M,
  path: P,
  particulars: Particulars<Operation<P, M>> = {},
): Promise<Got<Operation<P, M>>> {
  const named = (particulars.path ?? {}) as Record<string, string>;
  let url = String(path).replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(named[name] ?? ''));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries((particulars.query ?? {}) as Record<string, unknown>)) {
    if (value !== undefined && value !== null && value !== false) asked.set(name, String(value));
  }
  if (asked.size > 0) url += `?${asked}`;
  const sent: Record<string, string> = headers();
  if (particulars.body !== undefined) sent['content-type'] = 'application/json';
  if (particulars.key) sent['idempotency-key'] = particulars.key;
  const answer = await fetch(url, {
    method: method.toUpperCase(),
    headers: sent,
    body: particulars.body === undefined ? null : JSON.stringify(particulars.body),
  }).catch(() => {
    throw new Problem(0, 'unreachable', words.problem.unreachable);
  });
  clock.learn(answer.headers.get('date'));
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as Got<Operation<P, M>>;
  throw await refused(answer);
}

/** Why not, as the server words it. */
export async function refused(answer: Response): Promise<Problem> {
  const said = (await answer.json().catch(() => ({}))) as Partial<Schemas['Problem']>;
  if (answer.status === 401) signedOut();
  return worded(said, answer.status);
}

/** A problem as it came. */
export function worded(said: Partial<Schemas['Problem']>, status: number): Problem {
  return new Problem(
    status,
    said.code ?? 'unknown',
    said.detail ?? words.problem.unreadable(status),
    said.reasons ?? [],
    said.fields ?? [],
  );
}

/** A key for one intent. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
