// What processes of a group tell each other of their machines, and attempts that do not end.
#include <cstdlib>
#include <future>
#include <memory>
#include <stdexcept>

#include "catch_compat.h"
#include "torch/attempt.h"
#include "torch/place.h"

using compert::address_for_others;
using compert::Attempt;

TEST_CASE("a machine's own name is no address for others", "[place]") {
  const auto route = [](const std::string& other) { return "way to " + other; };
  const auto none = [](const std::string&) { return std::string(); };
  const std::vector<std::string> apart = {"127.0.1.1", "::1", "", "192.168.7.2", "192.168.7.3"};
  CHECK(address_for_others(apart, 0, route) == "way to 192.168.7.2");
  CHECK(address_for_others(apart, 1, route) == "way to 192.168.7.2");
  CHECK(address_for_others(apart, 2, route) == "");
  CHECK(address_for_others(apart, 4, route) == "192.168.7.3");
  CHECK(address_for_others(apart, 0, none) == "127.0.1.1");
  CHECK(address_for_others({"127.0.0.1", "127.0.0.1"}, 1, route) == "127.0.0.1");
}

TEST_CASE("an attempt gives its result, its error, or is given up", "[place]") {
  const auto patient = [](const Attempt&) {};
  CHECK(compert::attempt([](Attempt&) { return 3; }, patient) == 3);
  CHECK_THROWS_WITH(compert::attempt([](Attempt&) -> int { throw std::runtime_error("no"); }, patient),
                    "no");
  auto end = std::make_shared<std::promise<void>>();
  auto told = std::make_shared<std::promise<bool>>();
  const auto endless = [end, told](Attempt& a) {
    a.now("godot", "Godot did not come");
    end->get_future().wait();
    told->set_value(a.given_up);
    return 0;
  };
  const auto impatient = [&](const Attempt& a) {
    if (a.awaited() == "godot") throw std::runtime_error(a.trouble());
  };
  CHECK_THROWS_WITH(compert::attempt(endless, impatient), "Godot did not come");
  end->set_value();
  CHECK(told->get_future().get());
}

TEST_CASE("times to wait are whole numbers of seconds", "[place]") {
  const auto with = [](const char* name, const char* value, auto&& ask) {
    setenv(name, value, 1);
    struct Reset {
      const char* name;
      ~Reset() { unsetenv(name); }
    } reset{name};
    return ask();
  };
  using compert::patience, compert::patience_to_join;
  CHECK(patience() == std::chrono::seconds(50));
  CHECK(patience_to_join() == std::chrono::minutes(10));
  CHECK(with("COMPERT_GROUP_TIMEOUT", "7", patience) == std::chrono::seconds(7));
  CHECK(with("COMPERT_JOIN_TIMEOUT", "8", patience_to_join) == std::chrono::seconds(8));
  CHECK_THROWS_WITH(with("COMPERT_JOIN_TIMEOUT", "1.5", patience_to_join),
                    ContainsSubstring("whole number in COMPERT_JOIN_TIMEOUT"));
}
