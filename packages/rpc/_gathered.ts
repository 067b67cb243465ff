/** A request or a notification that leaves with others. */
export interface Gathered {
  /** Undefined: nothing is answered to it. */
  readonly id: number | undefined;
  readonly text: string;
}

/** How they leave. */
export interface GatheredPort {
  /** Sends a text, in which one that nothing is answered to may be; throws where it is too long. */
  send(text: string, notifies: boolean): void;
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
    return port.send(`[${gathered.map(({ text }) => text).join()}]`, notifies);
  } catch {
    // Together they are too long.
  }
  for (const { id, text } of gathered) {
    try {
      port.send(text, id === undefined);
    } catch (error) {
      if (id !== undefined) port.refuse(id, error);
    }
  }
}
