import { Router } from 'express'
import { type Id, voting } from '../../../strategies/index.ts'
import { choiceField, choiceParameter, idField, idParameter } from '../../shared/parameters.ts'
import { found, RequestProblem } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import type { Policies } from '../policies.ts'
import type { Reads } from '../reads.ts'
import { QUESTION_STATUSES, questionRepository } from '../repositories/questions.ts'
import { site } from '../site.ts'
import { happened, read, readValue, write } from './answer.ts'
import { userField } from './user-field.ts'

export interface QuestionRoutesOptions {
  readonly database: CommunityDatabase
  readonly policies: Policies
  readonly reads: Pick<Reads, 'results' | 'user'>
  /** Called, and waited for, after each vote. */
  readonly onVoteCast: (vote: { readonly questionId: Id; readonly userId: Id }) => Promise<unknown>
}

/** `/questions`: lists, trending, one question, its results, voting, opening and closing. */
export function questionRoutes({ database, policies, reads, onVoteCast }: QuestionRoutesOptions): Router {
  const questions = questionRepository(database)
  const router = Router()

  router.get(
    '/questions',
    policies.questionList,
    read({
      database,
      route: 'GET /questions',
      answer: (req) => ({ questions: questions.list(choiceParameter(req, 'status', QUESTION_STATUSES)) }),
    }),
  )

  router.get(
    '/questions/trending',
    policies.trendingQuestions,
    read({ database, route: 'GET /questions/trending', answer: () => ({ questions: questions.trending() }) }),
  )

  router.get(
    '/questions/:questionId',
    policies.question,
    read({
      database,
      route: 'GET /questions/:questionId',
      answer: (req) => {
        const question = found(questions.find(idParameter(req, 'questionId')), 'question')
        return { question: { ...question, options: questions.options(question.id) } }
      },
    }),
  )

  router.get(
    '/questions/:questionId/results',
    policies.questionResults,
    readValue('question', (req) => reads.results({ questionId: idParameter(req, 'questionId') })),
  )

  router.patch(
    '/questions/:questionId',
    write((req, res) => {
      const question = found(questions.find(idParameter(req, 'questionId')), 'question')
      const status = choiceField(req, 'status', QUESTION_STATUSES)
      const change = questions.setStatus(question, status)
      const event = status === 'open' ? voting.events.questionOpened : voting.events.questionClosed
      if (change.touched.length > 0) happened(res, event({ questionId: question.id }), site.events.questionsChanged({}))
      return change
    }),
  )

  router.post(
    '/questions/:questionId/votes',
    write(async (req, res) => {
      // First what is waited for: between reading the question and counting the vote it must not close.
      const user = await userField(req, 'userId', reads)
      const question = found(questions.find(idParameter(req, 'questionId')), 'question')
      if (question.status !== 'open') throw new RequestProblem(409, 'This question is closed.')
      const option = idField(req, 'optionId')
      if (!questions.options(question.id).some(({ id }) => id === option)) {
        throw new RequestProblem(400, '"optionId" is not an option of this question.')
      }
      const change = questions.vote({ question: question.id, user, option })
      happened(res, site.events.voted({}))
      await onVoteCast({ questionId: question.id, userId: user })
      return change
    }),
  )

  return router
}
