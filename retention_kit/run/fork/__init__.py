"""Kernels that are ready in a fraction of a second, because a process that has imported everything is forked.

A kernel that starts as a program spends two to three CPU seconds on imports before its first cell, for every market
anew. Here one process, the fork server, imports once; each kernel, and each worker that runs a notebook, is its
child: a copy of its memory, which the system makes when a page is written to and not before.

    driver (`Pool`, or whoever starts a kernel)          fork server (one thread, no data, no engine)
      ForkServer(modules)  -- standard input: modules ->   warm_up: import them, call `warm_caches`
                           <- standard output: ready ---   listens at a socket in a folder of its owner's
      forked(path, entry)  -- socket: entry, env, files -> os.fork, and the child calls the entry
      Forked.wait, .kill   <- socket: pid, end's code ---  tells when it ends; ends it when the socket closes

- `warming`: what is imported and made once, as a kernel would import it, and which modules a notebook needs.
- `server`: the loop that forks; it runs as `python -P -m retention_kit.run.fork.server`.
- `client`: `ForkServer` starts one; `forked` asks it for a process, which then looks like a `subprocess.Popen`.
- `folders`: folders that say whose they are, so that those of a killed process can be swept.
- `provisioner`: Jupyter's own extension point, by which Papermill, nbval, nbconvert and JupyterLab get such kernels.

Rules that keep it right:

- A fork keeps one thread alone: a module that starts threads when it is imported makes the server refuse, and every
  process is then started as an ordinary program. So it is on Windows and macOS, which cannot fork safely.
- Nobody outlives his parent: the server ends when its driver's pipe closes, each child when its connection does or the
  server ends; orphans are adopted and ended. What a child wrote lies in its driver's folder, which goes too.
- A child is a process of its own: session, streams, environment, folder, random state, limit of memory.
"""
