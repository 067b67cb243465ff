/** What programs in tests import, by its URL. */
export const SIGNAL = new URL("../mod.ts", import.meta.url).href;
export const SYS = new URL("../../core/sys/mod.ts", import.meta.url).href;
