import { Redis } from 'ioredis'
import type { Subject } from './catalogue.ts'

/** The database behind the caches, in a server of its own that no fault reaches: the version of each subject. */
export class Authority {
  readonly #redis: Redis

  constructor(url: string) {
    this.#redis = new Redis(url)
  }

  async read({ number }: Subject): Promise<number> {
    return Number((await this.#redis.hget('versions', String(number))) ?? 0)
  }

  /** Commit a new version of each; they are in force when this resolves. */
  async raise(subjects: readonly Subject[]): Promise<readonly number[]> {
    const pipeline = this.#redis.pipeline()
    for (const { number } of subjects) pipeline.hincrby('versions', String(number), 1)
    const answers = (await pipeline.exec()) ?? []
    return answers.map(([error, version]) => {
      if (error !== null) throw error
      return Number(version)
    })
  }

  close(): void {
    this.#redis.disconnect()
  }
}
