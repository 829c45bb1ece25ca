/**
 * What was read, and what was promised: a read that began after an invalidation was acknowledged must not return an older
 * version than the one that was invalidated. Versions of a key only grow, so this is checked in linear time, in whatever order
 * the reports of the processes arrive.
 */

/** Now on the monotonic clock of the machine (ms), the same in all of its processes and touched by no change of the time. */
export function instant(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1e6
}

/**
 * Reads of one version of one key in one process, one after the other. Of reads with the same result only the one that began
 * last can break a promise that the others kept.
 */
export interface ReadRun {
  readonly key: number
  readonly version: number
  /** When the first of them began. */
  readonly firstAt: number
  /** When the last of them began. */
  readonly lastAt: number
  readonly count: number
  readonly process: string
  /** Where the last of them got it from. */
  readonly source: string
}

/** Since `at` nobody may read an older version of the key. */
export interface Acknowledgement {
  readonly key: number
  readonly version: number
  readonly at: number
  readonly process: string
}

/** A promise that was broken. */
export interface StaleRead {
  readonly read: ReadRun
  readonly acknowledged: Acknowledgement
}

/** Of one version of one key: the last read of it, and the first promise that it is gone. */
interface Version {
  lastRead: ReadRun | undefined
  gone: Acknowledgement | undefined
}

export class History {
  readonly #keys = new Map<number, Version[]>()
  readonly #onStale: (stale: StaleRead) => void
  /** Reads that broke a promise; at least, where only the last of a run is known to have begun too late. */
  stale = 0
  reads = 0
  acknowledged = 0

  constructor(onStale: (stale: StaleRead) => void) {
    this.#onStale = onStale
  }

  read(run: ReadRun): void {
    this.reads += run.count
    const version = this.#version(run.key, run.version)
    if (version.gone !== undefined) this.#compare(run, version.gone)
    if (version.lastRead === undefined || run.lastAt > version.lastRead.lastAt) version.lastRead = run
  }

  acknowledge(acknowledged: Acknowledgement): void {
    this.acknowledged++
    for (let older = acknowledged.version - 1; older >= 0; older--) {
      const version = this.#version(acknowledged.key, older)
      // Whatever is older than this one was gone no later.
      if (version.gone !== undefined && version.gone.at <= acknowledged.at) return
      if (version.lastRead !== undefined && !isBroken(version.lastRead, version.gone))
        this.#compare(version.lastRead, acknowledged)
      version.gone = acknowledged
    }
  }

  #compare(read: ReadRun, acknowledged: Acknowledgement): void {
    if (!isBroken(read, acknowledged)) return
    this.stale += read.firstAt > acknowledged.at ? read.count : 1
    this.#onStale({ read, acknowledged })
  }

  #version(key: number, number: number): Version {
    const versions = this.#keys.get(key) ?? []
    this.#keys.set(key, versions)
    for (let missing = versions.length; missing <= number; missing++) {
      versions.push({ lastRead: undefined, gone: undefined })
    }
    return versions[number] as Version
  }
}

function isBroken(read: ReadRun, acknowledged: Acknowledgement | undefined): boolean {
  return acknowledged !== undefined && read.lastAt > acknowledged.at
}
