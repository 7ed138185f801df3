// The two ceremonies with a passkey. The page says what to ask the browser for, in an attribute; the answer goes into
// the page's own form, which is sent. Nothing is fetched, and nothing else runs on these pages.
"use strict";

(() => {
  const form = document.querySelector("form[data-ceremony]");
  if (!form) return;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const options = JSON.parse(form.dataset.options).publicKey;
  const say = (why) => {
    const line = document.querySelector("[data-problem]");
    line.textContent = why;
    line.hidden = false;
  };

  const create = async () => {
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    };
    const made = await navigator.credentials.create({ publicKey });
    return {
      id: made.id, rawId: text(made.rawId), type: made.type, extensions: {},
      response: {
        attestationObject: text(made.response.attestationObject),
        clientDataJSON: text(made.response.clientDataJSON),
      },
    };
  };

  const get = async () => {
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: known(options.allowCredentials),
    };
    const shown = await navigator.credentials.get({ publicKey });
    return {
      id: shown.id, rawId: text(shown.rawId), type: shown.type, extensions: {},
      response: {
        authenticatorData: text(shown.response.authenticatorData),
        clientDataJSON: text(shown.response.clientDataJSON),
        signature: text(shown.response.signature),
        userHandle: shown.response.userHandle ? text(shown.response.userHandle) : null,
      },
    };
  };

  const run = async () => {
    if (!window.PublicKeyCredential) return say("This browser has no passkeys.");
    try {
      const answer = await (form.dataset.ceremony === "create" ? create() : get());
      form.elements.answer.value = JSON.stringify(answer);
      form.submit();
    } catch (error) {
      say(`It came to nothing (${error.name}). Try again, or go back.`);
    }
  };

  form.addEventListener("submit", (event) => {
    if (!form.elements.answer.value) {
      event.preventDefault();
      run();
    }
  });
  run();
})();
