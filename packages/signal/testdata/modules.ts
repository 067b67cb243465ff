/** What programs in tests import, by its URL. */
export const SIGNAL = new URL("../mod.ts", import.meta.url).href;
export const TESTING = new URL("../../core/testing/mod.ts", import.meta.url).href;
export const WORDS = new URL("../../core/testdata/words.ts", import.meta.url).href;
