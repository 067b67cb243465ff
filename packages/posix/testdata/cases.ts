/** The cases of conformance.json as tests: each has its id and what it says in the test's name. */

import { assertEquals, assertThrows } from "@std/assert";
import { IpcError } from "@ipc/core";

interface Case {
  id: string;
  mechanism: string;
  given: string;
  call: string;
  expect: string;
}

/** What keeps a case from being tested here. */
export interface CaseOptions {
  ignore?: boolean;
}

/** The cases of one mechanism. */
export class Cases {
  readonly #cases: Case[];
  readonly #seen = new Set<string>();

  constructor(mechanism: string) {
    const file = new URL("conformance.json", import.meta.url);
    const all: Case[] = JSON.parse(Deno.readTextFileSync(file));
    this.#cases = all.filter((each) => each.mechanism === mechanism);
  }

  /** Registers the test of a case. */
  test(id: string, fn: () => void | Promise<void>, { ignore = false }: CaseOptions = {}): void {
    const { given, call, expect } = this.#cases.find((each) => each.id === id)!;
    this.#seen.add(id);
    Deno.test({ name: `${id} ${given}; ${call}: ${expect}`, ignore, fn });
  }

  /** Registers a test that none was forgotten. */
  complete(): void {
    Deno.test("every case has a test", () => {
      assertEquals(this.#cases.map(({ id }) => id).filter((id) => !this.#seen.has(id)), []);
    });
  }
}

/** The code of the error that a call throws. */
export function code(call: () => unknown): string {
  return assertThrows(call, IpcError).code;
}
