/// Training that reports to nobody.
#pragma once
#include "compert/progress.h"

class Quiet final : public compert::Progress {
 public:
  void on_epoch(const compert::EpochRecord&, int64_t) override {}
  bool should_stop() override { return false; }
};
