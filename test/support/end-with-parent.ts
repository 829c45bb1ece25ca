/** End this process with the one that has started it, also where that has ended while this one was loading. */
export function endWithParent(): void {
  if (process.connected === false) process.exit()
  process.once('disconnect', () => process.exit())
}
