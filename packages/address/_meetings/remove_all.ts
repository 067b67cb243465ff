/** System V objects stay when who created them is killed; then the other end removes them. */

/** Removes what is still there. */
export function removeAll(objects: readonly { remove(): void }[]): void {
  for (const object of objects) {
    try {
      object.remove();
    } catch {
      // It is gone already, or closed here, and then somebody else's to remove.
    }
  }
}
