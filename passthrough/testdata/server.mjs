// server.mjs MODULES PORT [CERT KEY]: the same as server.py, by the module ws.
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import path from 'node:path'

const [modules, port, cert, key] = process.argv.slice(2)
const { WebSocketServer } = createRequire(path.resolve(modules) + '/')('ws')
const web = cert ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }) : http.createServer()
const sockets = new WebSocketServer({ server: web, perMessageDeflate: true, handleProtocols: () => 'chat' })
sockets.on('connection', (socket) => {
  socket.on('message', (data, binary) => {
    if (!binary && data.toString() === 'enough') socket.close(4001, 'enough')
    else socket.send(data, { binary })
  })
})
web.listen(Number(port), '127.0.0.1', () => console.log(web.address().port))
process.stdin.resume().on('end', () => process.exit())
