/** A request or a notification that leaves with others. */
export interface Gathered {
  /** Undefined: nothing is answered to it. */
  readonly id: number | undefined;
  readonly text: string;
  /** Takes back its functions and streams, which it does not leave behind where it cannot leave. */
  readonly undo: readonly (() => void)[] | undefined;
  /** Where nothing is answered: hears up to where it is in what was ever sent, or why it could not be sent. */
  readonly left: PromiseWithResolvers<number> | undefined;
}

/** How they leave. */
export interface GatheredPort {
  /**
   * Sends a text, in which one that nothing is answered to may be; throws where it is too long, and gives up to where
   * it is in what was ever sent.
   */
  send(text: string, notifies: boolean): number;
  /** A call could not be sent. */
  refuse(id: number, error: unknown): void;
}

/** Sends them as batches of at most `max`, or alone where they are too long together. */
export function sendGathered(gathered: readonly Gathered[], max: number, port: GatheredPort): void {
  for (let at = 0; at < gathered.length; at += max) sendTogether(gathered.slice(at, at + max), port);
}

function sendTogether(gathered: readonly Gathered[], port: GatheredPort): void {
  try {
    const notifies = gathered.some(({ id }) => id === undefined);
    const end = port.send(`[${gathered.map(({ text }) => text).join()}]`, notifies);
    for (const { left } of gathered) left?.resolve(end);
    return;
  } catch {
    // Together they are too long.
  }
  for (const { id, text, undo, left } of gathered) {
    try {
      const end = port.send(text, id === undefined);
      left?.resolve(end);
    } catch (error) {
      if (undo !== undefined) { for (const take of undo) take(); }
      left?.reject(error);
      if (id !== undefined) port.refuse(id, error);
    }
  }
}
