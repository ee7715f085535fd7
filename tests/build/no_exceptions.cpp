// Compiled without exceptions and RTTI: a wrong shape reaches the handler with the whole sentence, then the program aborts.
#include <norma/norma.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this test is about a program without exceptions and RTTI"
#endif

namespace {

int report_pipe = -1;

void report(const char* message) {
  if (write(report_pipe, message, std::strlen(message)) < 0) _exit(3);
}

void wrong_shape() {
  norma::LayerNorm<float> ln({8});
  std::vector<float> x(28), y(28);
  ln(norma::TensorView<float>(x.data(), {4, 7}), norma::TensorView<float>(y.data(), {4, 7}));
}

struct Ending {
  int status = 0;
  std::string message;
};

/// Runs `wrong_shape` in a child, so that its abort ends only the child.
Ending run_in_child(bool with_handler) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(3);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core_file{0, 0};
    setrlimit(RLIMIT_CORE, &no_core_file);
    close(ends[0]);
    report_pipe = ends[1];
    if (with_handler) {
      norma::set_error_handler(report);
    } else if (dup2(ends[1], STDERR_FILENO) < 0) {
      _exit(3);
    }
    wrong_shape();
    _exit(0);
  }
  close(ends[1]);
  Ending ending;
  char text[256];
  for (ssize_t n; (n = read(ends[0], text, sizeof text)) > 0;) ending.message.append(text, static_cast<std::size_t>(n));
  close(ends[0]);
  waitpid(child, &ending.status, 0);
  return ending;
}

bool aborted_with(const Ending& ending, const std::string& message) {
  const bool aborted = WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT;
  const bool told = ending.message == message;
  std::printf("%s; message: %s\n", aborted ? "aborted" : "DID NOT ABORT", ending.message.c_str());
  if (!told) std::printf("EXPECTED: %s\n", message.c_str());
  return aborted && told;
}

/// And what is right works as ever.
bool right_shape() {
  norma::RMSNorm<float> rms({2}, {.eps = 0});
  const std::vector<float> x{3, -3};
  std::vector<float> y(2);
  rms(x, y);
  return y[0] == 1 && y[1] == -1;
}

}  // namespace

int main() {
  const std::string sentence = "LayerNorm: x has extents (4, 7), normalized_shape is (8)";
  const bool handled = aborted_with(run_in_child(true), sentence);
  const bool printed = aborted_with(run_in_child(false), "norma: " + sentence + "\n");
  const bool computed = right_shape();
  if (!computed) std::printf("RMSNorm of (3, -3) IS WRONG\n");
  return handled && printed && computed ? 0 : 1;
}
