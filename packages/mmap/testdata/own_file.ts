/** Files for tests, which are gone afterwards. */

/** A path in a folder of its own, where nothing is yet. */
export class OwnFile implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "ipc-mmap-" });
  readonly path = `${this.folder}/file`;

  /** One with this content. */
  static of(content: Uint8Array | string): OwnFile {
    const file = new OwnFile();
    file.content = content;
    return file;
  }

  get content(): Uint8Array {
    return Deno.readFileSync(this.path);
  }

  set content(content: Uint8Array | string) {
    Deno.writeFileSync(this.path, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }

  get text(): string {
    return Deno.readTextFileSync(this.path);
  }

  get status(): Deno.FileInfo {
    return Deno.statSync(this.path);
  }

  /** Whether there is something of this path. */
  get exists(): boolean {
    try {
      Deno.lstatSync(this.path);
      return true;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}
