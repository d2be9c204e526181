#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace compert {

/// The one exception type of the core: bad input or a failed operation, said in three parts so
/// that every front end can lay it out as it likes.
///
/// `argument` names what was wrong in the caller's words (may be empty), `must` what has to hold,
/// `given` what was found instead, `todo` what to do about it (the last two may be empty).
class Error : public std::runtime_error {
 public:
  Error(std::string argument, std::string must, std::string given = "", std::string todo = "")
      : std::runtime_error(compose(argument, must, given, todo)),
        argument_(std::move(argument)),
        must_(std::move(must)),
        given_(std::move(given)),
        todo_(std::move(todo)) {}

  const std::string& argument() const { return argument_; }
  const std::string& must() const { return must_; }
  const std::string& given() const { return given_; }
  const std::string& todo() const { return todo_; }

 private:
  static std::string compose(const std::string& argument, const std::string& must,
                             const std::string& given, const std::string& todo) {
    std::string text = argument.empty() ? must : "`" + argument + "` " + must;
    if (!given.empty()) text += "\nx " + given;
    if (!todo.empty()) text += "\ni " + todo;
    return text;
  }

  std::string argument_, must_, given_, todo_;
};

}  // namespace compert
