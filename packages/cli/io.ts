/** What a command reads from and writes to: a process has one, a test can make its own. */
export interface Io {
  /** Standard input. */
  readonly stdin: ReadableStream<Uint8Array>;
  /** Standard output: what was asked for. */
  readonly stdout: Output;
  /** Standard error: what went wrong, and how far it is. */
  readonly stderr: Output;
  /**
   * Makes this process another program: with the same id, streams and environment. Absent where the command runs
   * inside a program that goes on.
   */
  readonly become?: (command: readonly string[]) => never;
  /**
   * Runs another program with this process's streams, passes signals on to it, and gives its exit status; the process
   * then ends as the program did. Absent where `become` is.
   */
  readonly run?: (command: readonly string[]) => Promise<number>;
  /** Ends every wait. Where its reason is an {@linkcode Interrupted}, the command ends without a word. */
  readonly signal: AbortSignal;
}

/** Something to write to. */
export interface Output {
  /** Writes all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Whether a person is looking: lines may be redrawn. */
  readonly terminal: boolean;
  /** Whether colours are wanted. */
  readonly colour: boolean;
  /** How many characters a line has room for. */
  readonly columns: number;
}

/** The process got a signal that asks it to end. */
export class Interrupted extends Error {
  /** Which one. */
  readonly by: Deno.Signal;
  /** The exit status by which shells know it: 128 and the signal's number. */
  readonly status: number;

  /** Makes the reason for which everything ends. */
  constructor(by: Deno.Signal, number: number) {
    super(`Interrupted by ${by}`);
    this.name = new.target.name;
    this.by = by;
    this.status = 128 + number;
  }
}

/** Nobody reads the standard output any more, as behind `| head -1`; the command ends without a word. */
export class OutputClosed extends Error {
  /** Makes the reason for which a command ends. */
  constructor() {
    super("Nobody reads the output any more");
    this.name = new.target.name;
  }
}

const encoder = new TextEncoder();

/** Writes text. */
export function print(output: Output, text: string): Promise<void> {
  return output.write(encoder.encode(text));
}
