// What stands for a style element in the terminal: the same rules, said through an object, because the policy of the page
// lets no style in that is written as markup.

class Sheet extends HTMLElement {
  #sheet = new CSSStyleSheet();

  override set textContent(rules: string) {
    this.#sheet.replaceSync(rules);
  }

  connectedCallback() {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.#sheet];
  }

  disconnectedCallback() {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== this.#sheet);
  }
}

/** Once, before the first terminal is opened. */
export function sheets() {
  if (!customElements.get('wane-sheet')) customElements.define('wane-sheet', Sheet);
}
