// What an approver may want to look at twice: facts about a request in words, none of them a score. What is not known is
// not said.
import type { Grant, Item, Request } from '../api/client';
import { span } from '../time';
import { words } from '../words';

/** What somebody was granted before, as far as it was told; there is more where it says `next`. */
interface Before {
  items: Grant[];
  next?: string | null | undefined;
}

const w = words.approve.signs;

/** Those there are about what waits of a request; without `before` nothing is said about earlier times. */
export function signs(request: Request, items: Item[], before?: Before): string[] {
  const found: string[] = [];
  if (request.package) found.push(w.package(request.package));
  else if (request.requester !== request.beneficiary) found.push(w.instead(request.requester));
  const of = (sign: string, item: Item) => (items.length > 1 ? w.of(sign, words.role(item.role, item.resource)) : sign);
  for (const item of items) {
    // Of a list that goes on nobody can say what is not in it.
    if (before && !before.next) {
      const same = before.items.filter((one) => one.role === item.role && one.resource === item.resource);
      const most = Math.max(0, ...same.map((one) => one.duration.secs));
      if (same.length === 0) found.push(of(w.never, item));
      else if (request.duration.secs > most) found.push(of(w.longer(span(most)), item));
    }
    if (item.residual?.survives) found.push(of(w.survives, item));
  }
  return [...new Set(found)];
}
