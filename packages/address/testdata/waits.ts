/** Waits that go on in threads. */

import { diagnostics, wordDiagnostics } from "@ipc/core/sys";

/** The threads that wait for all take a moment to learn that there are no more waits. */
export async function waitsEnded(): Promise<void> {
  while (diagnostics().poolThreads + wordDiagnostics().poolThreads > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
