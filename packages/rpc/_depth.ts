const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[` and `{` are this with bit 0x20 set, `]` and `}` this plus 2. */
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Whether JSON is nested deeper than `limit`, without parsing it. */
export function isDeeper(data: Uint8Array, limit: number): boolean {
  const { length } = data;
  if (length <= limit) return false;
  // Nearly every message has fewer brackets in all than the limit, which is quickly counted.
  let opened = 0;
  for (let at = 0; at < length; at++) if ((data[at]! | 0x20) === OPEN) opened++;
  if (opened <= limit) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < length; at++) {
    const byte = data[at]!;
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted) {
      if (byte === BACKSLASH) at++;
    } else if ((byte | 0x20) === OPEN) {
      if (++depth > limit) return true;
    } else if ((byte | 0x20) === CLOSE) depth--;
  }
  return false;
}

/** The same for a text. */
export function isTextDeeper(text: string, limit: number): boolean {
  const { length } = text;
  if (length <= limit) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) quoted = !quoted;
    else if (quoted) {
      if (unit === BACKSLASH) at++;
    } else if ((unit | 0x20) === OPEN) {
      if (++depth > limit) return true;
    } else if ((unit | 0x20) === CLOSE) depth--;
  }
  return false;
}
