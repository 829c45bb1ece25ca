import { Router } from 'express'
import { choiceField, choiceParameter, idField, idParameter } from '../../shared/parameters.ts'
import { found, RequestProblem } from '../../shared/problem.ts'
import type { CommunityDatabase } from '../database/database.ts'
import type { Policies } from '../policies.ts'
import { QUESTION_STATUSES, questionRepository } from '../repositories/questions.ts'
import { userRepository } from '../repositories/users.ts'
import { read, write } from './answer.ts'

/** `/questions`: lists, trending, one question, its results, voting, opening and closing. */
export function questionRoutes({ database, policies }: { database: CommunityDatabase; policies: Policies }): Router {
  const questions = questionRepository(database)
  const users = userRepository(database)
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
    '/questions/:id',
    policies.question,
    read({
      database,
      route: 'GET /questions/:id',
      answer: (req) => {
        const question = found(questions.find(idParameter(req, 'id')), 'question')
        return { question: { ...question, options: questions.options(question.id) } }
      },
    }),
  )

  router.get(
    '/questions/:id/results',
    policies.questionResults,
    read({
      database,
      route: 'GET /questions/:id/results',
      answer: (req) => {
        const question = found(questions.find(idParameter(req, 'id')), 'question')
        return { question: question.id, status: question.status, results: questions.results(question.id) }
      },
    }),
  )

  router.patch(
    '/questions/:id',
    write((req) => {
      const question = found(questions.find(idParameter(req, 'id')), 'question')
      return questions.setStatus(question, choiceField(req, 'status', QUESTION_STATUSES))
    }),
  )

  router.post(
    '/questions/:id/votes',
    write((req) => {
      const question = found(questions.find(idParameter(req, 'id')), 'question')
      if (question.status !== 'open') throw new RequestProblem(409, 'This question is closed.')
      const user = idField(req, 'userId')
      const option = idField(req, 'optionId')
      if (!users.exists(user)) throw new RequestProblem(400, '"userId" is nobody.')
      if (!questions.options(question.id).some(({ id }) => id === option)) {
        throw new RequestProblem(400, '"optionId" is not an option of this question.')
      }
      return questions.vote({ question: question.id, user, option })
    }),
  )

  return router
}
