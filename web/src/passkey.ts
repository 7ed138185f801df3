// Asking a passkey (W3C Web Authentication, level 3) to sign what the server drew up, and looking first whether that is
// what the page shows.
import { Problem, type Schemas } from './api/client';
import { words } from './words';

const bytes = (text: string) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const text = (buffer: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

interface Options {
  publicKey: { challenge: string; rpId?: string; timeout?: number; userVerification?: UserVerificationRequirement; allowCredentials?: { id: string; type: 'public-key' }[] };
}

/** Whether the passkey would be asked for this text, and the text is about this request. */
export async function covers(draft: Schemas['ToSignView'], digest: string): Promise<boolean> {
  const challenge = (draft.options as unknown as Options | undefined)?.publicKey.challenge ?? '';
  // A page that was not loaded over TLS, and not from this machine, has no digests; it has no passkeys either.
  if (!crypto.subtle) return false;
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(draft.text));
  return draft.text.includes(digest) && text(hash) === challenge.replaceAll('=', '');
}

/** What the passkey answers, as the server reads it. */
export async function assertion(options: unknown): Promise<Record<string, unknown>> {
  if (!('PublicKeyCredential' in globalThis)) throw new Problem(0, 'no-passkeys', words.sign.noPasskeys);
  const { publicKey } = options as Options;
  const allowCredentials = (publicKey.allowCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const shown = await navigator.credentials
    .get({ publicKey: { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials } })
    .catch((error: unknown) => {
      throw new Problem(0, 'not-signed', words.sign.failed(error instanceof Error ? error.name : ''));
    });
  if (!(shown instanceof PublicKeyCredential)) throw new Problem(0, 'not-signed', words.sign.failed(''));
  const said = shown.response as AuthenticatorAssertionResponse;
  return {
    id: shown.id,
    rawId: text(shown.rawId),
    type: shown.type,
    extensions: {},
    response: {
      authenticatorData: text(said.authenticatorData),
      clientDataJSON: text(said.clientDataJSON),
      signature: text(said.signature),
      userHandle: said.userHandle ? text(said.userHandle) : null,
    },
  };
}
