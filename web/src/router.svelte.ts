// Which page is shown: a path below `/ui/`, and nothing that somebody else can name.

const BASE = '/ui/';
const KEPT = 'wane-page';
/** Pages with nothing behind them, and those about one thing. */
const PAGES = [
  '', 'ask', 'approve', 'requests', 'grants', 'terminal', 'recordings', 'live', 'join', 'owed', 'locks', 'resources', 'people', 'packages', 'directories',
  'machines', 'away', 'policy', 'notices', 'log', 'figures', 'server', 'settings',
] as const;
const ABOUT = ['requests', 'grants', 'terminal', 'recordings', 'join', 'resources', 'people', 'packages'] as const;
/** Pages that are about nothing else. */
const ONLY_ABOUT = ['grants', 'terminal', 'join'] as const;

export type Page = (typeof PAGES)[number];
export interface Route {
  page: Page | 'lost';
  id: string;
  query: URLSearchParams;
}

function read(path: string, search: string): Route {
  const query = new URLSearchParams(search);
  const parts = path.startsWith(BASE) ? path.slice(BASE.length).split('/') : ['lost'];
  const [page = '', id = '', ...more] = parts;
  const known = (PAGES as readonly string[]).includes(page) && more.length === 0;
  const about = (ABOUT as readonly string[]).includes(page);
  const plain = /^([a-z0-9][a-z0-9._-]{0,63})?$/.test(id);
  if (!known || !plain || (id !== '' && !about) || ((ONLY_ABOUT as readonly string[]).includes(page) && id === '')) return { page: 'lost', id: '', query };
  return { page: page as Page, id, query };
}

class Router {
  route = $state.raw<Route>(read(location.pathname, location.search));

  constructor() {
    addEventListener('popstate', () => this.#take());
  }

  #take() {
    this.route = read(location.pathname, location.search);
  }

  go(to: string) {
    history.pushState(null, '', to);
    this.#take();
    scrollTo(0, 0);
  }

  /** Keeps where somebody wanted to go while they sign in. */
  keep() {
    sessionStorage.setItem(KEPT, location.pathname + location.search);
  }

  /** Goes there, once. */
  restore() {
    const kept = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    if (kept === null || location.pathname !== BASE) return;
    const [path = '', search = ''] = kept.split('?');
    const route = read(path, search);
    if (route.page !== 'lost' && route.page !== '') {
      history.replaceState(null, '', kept);
      this.#take();
    }
  }
}

export const router = new Router();

/** The address of a page. */
export function to(page: Page, id = '', query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `${BASE}${page}${id ? `/${id}` : ''}${search ? `?${search}` : ''}`;
}

/** Follows links to our own pages without loading them. */
export function links(node: HTMLElement) {
  const follow = (event: MouseEvent) => {
    const link = (event.target as Element).closest('a');
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || event.defaultPrevented || link.target || link.origin !== location.origin) return;
    if (!link.pathname.startsWith(BASE)) return;
    event.preventDefault();
    router.go(link.pathname + link.search);
  };
  node.addEventListener('click', follow);
  return { destroy: () => node.removeEventListener('click', follow) };
}
