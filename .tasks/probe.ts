/** Loads what the project uses of JSR, and nothing else: `.tasks/config.ts` looks whether this can be cached. */

import "@std/assert";
import "@std/cli/parse-args";
