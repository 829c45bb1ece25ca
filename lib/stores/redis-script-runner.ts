import type { RedisClient } from '../redis.ts'
import { FLAGGED, PLAIN, type Script, type ScriptName } from './redis-scripts.ts'

/** What a script is run with. */
export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

/** What a script has answered, and how many replicas have what it wrote. */
export interface Waited {
  readonly reply: unknown
  readonly replicas: number
}

/** What is used of an ioredis pipeline. */
interface Pipeline {
  eval(script: string, keys: number, ...args: string[]): Pipeline
  wait(replicas: number, timeoutMs: number): Pipeline
  exec(): Promise<readonly (readonly [error: Error | null, reply: unknown])[] | null>
}

interface PipelinedClient extends RedisClient {
  pipeline(): Pipeline
}

/** A script for any server, and for those since Redis 7, which understand flags. */
export interface Editions {
  readonly plain: Script
  readonly flagged: Script
}

/** Runs the scripts on one client, by their hash where the server has them; defines nothing on the client. */
export class ScriptRunner {
  readonly #client: RedisClient
  #scripts = FLAGGED

  constructor(client: RedisClient) {
    this.#client = client
  }

  async run(name: ScriptName, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    return this.runEdition({ plain: PLAIN[name], flagged: FLAGGED[name] }, keys, args)
  }

  /** The same for a script that is not one of the cache's own. */
  async runEdition(
    { plain, flagged }: Editions,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<unknown> {
    if (this.#scripts === PLAIN) return this.#send(plain, keys, args)
    try {
      return await this.#send(flagged, keys, args)
    } catch (error) {
      if (!isUnknownShebang(error)) throw error
      // A server before Redis 7: remember it.
      this.#scripts = PLAIN
      return this.#send(plain, keys, args)
    }
  }

  /** Run a script for each call, then wait until so many replicas have what was written. It blocks the connection of this client. */
  async runAndWait(
    name: ScriptName,
    calls: readonly ScriptCall[],
    { replicas, timeoutMs }: { readonly replicas: number; readonly timeoutMs: number },
  ): Promise<readonly Waited[]> {
    const scripts = this.#scripts
    const pipeline = (this.#client as PipelinedClient).pipeline()
    // By its text: were it unknown by its hash, the wait would be for nothing.
    for (const { keys, args } of calls) pipeline.eval(scripts[name].text, keys.length, ...keys, ...args)
    const replies = (await pipeline.wait(replicas, timeoutMs).exec()) ?? []
    const error = replies.find(([cause]) => cause !== null)?.[0]
    if (error === undefined)
      return calls.map((_, at) => ({ reply: replies[at]?.[1], replicas: Number(replies.at(-1)?.[1]) }))
    if (scripts === PLAIN || !isUnknownShebang(error)) throw error
    this.#scripts = PLAIN
    return this.runAndWait(name, calls, { replicas, timeoutMs })
  }

  async #send({ text, sha }: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    try {
      return await this.#client.evalsha(sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return this.#client.eval(text, keys.length, ...keys, ...args)
    }
  }
}

function isUnknownShebang(error: unknown): boolean {
  return (
    error instanceof Error && /unexpected symbol near '#'|Unexpected flag|Could not find.*engine/i.test(error.message)
  )
}
