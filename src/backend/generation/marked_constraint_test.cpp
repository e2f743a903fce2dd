// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/marked_constraint.h"

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

// Pieces by token; the first is the end.
class Pieces final : public Vocabulary {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  [[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view, bool, bool) const override {
    return unimplemented("not called");
  }
  [[nodiscard]] std::string piece(Token token, bool) const override {
    return pieces_.at(static_cast<std::size_t>(token));
  }
  [[nodiscard]] bool is_end(Token token) const override { return token == 0; }
  [[nodiscard]] SequenceModel model() const {
    SequenceModel out;
    out.vocabulary_size = pieces_.size();
    out.ends = {0};
    return out;
  }
  [[nodiscard]] Token token(std::string_view piece) const {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i] == piece) return static_cast<Token>(i);
    }
    ADD_FAILURE() << piece;
    return 0;
  }

 private:
  std::vector<std::string> pieces_;
};

// Takes one token after the other, then the end.
class InOrder final : public TokenConstraint {
 public:
  explicit InOrder(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  [[nodiscard]] Status allow(std::span<std::uint32_t> mask) override {
    mask[0] = finished() ? 1U : 1U << static_cast<unsigned>(tokens_[at_]);
    return {};
  }
  [[nodiscard]] Status accept(Token token) override {
    if (finished()) return token == 0 ? Status() : internal("not in order");
    return token == tokens_[at_++] ? Status() : internal("not in order");
  }
  [[nodiscard]] bool finished() const override { return at_ == tokens_.size(); }
  [[nodiscard]] std::unique_ptr<TokenConstraint> fork() const override {
    return std::make_unique<InOrder>(*this);
  }

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

class MarkedConstraintTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Mark> mark(std::string text) const {
    return std::make_shared<Mark>(pieces_, pieces_.model(), std::move(text));
  }
  std::unique_ptr<TokenConstraint> make(MarkedPlan plan) const {
    const std::vector<Token> order = {pieces_.token("x"), pieces_.token("y")};
    return std::make_unique<MarkedConstraint>(std::move(plan), std::make_shared<InOrder>(order));
  }
  // The pieces that may come, one behind the other.
  std::string allowed(TokenConstraint& constraint) const {
    std::array<std::uint32_t, 1> mask{};
    EXPECT_TRUE(constraint.allow(mask).ok());
    std::string out;
    for (std::size_t i = 0; i < 32; ++i) {
      if ((mask[0] >> i & 1U) == 0) continue;
      if (i >= pieces_.model().vocabulary_size) return "beyond the vocabulary";
      out += pieces_.piece(static_cast<Token>(i), true) + " ";
    }
    return out;
  }
  void feed(TokenConstraint& constraint, std::initializer_list<const char*> pieces) const {
    for (const char* piece : pieces) {
      EXPECT_TRUE(constraint.accept(pieces_.token(piece)).ok()) << piece;
    }
  }

  const Pieces pieces_{{"$", "a", "<", "t>", "t>a", ">", "<t>", "b<t>a", "x", "y", "<o>"}};
};

constexpr const char* kAll = "$ a < t> t>a > <t> b<t>a x y <o> ";

TEST_F(MarkedConstraintTest, lets_all_pass_up_to_the_mark_and_nothing_run_over_it) {
  const auto one = make({mark("<t>"), nullptr, true, true, false});
  EXPECT_EQ(allowed(*one), "$ a < t> t>a > <t> x y <o> ");
  feed(*one, {"a", "<"});
  EXPECT_EQ(allowed(*one), "$ a < t> > <t> x y <o> ") << "t>a would go over the mark's end";
  feed(*one, {"a", "<", "t>"});
  EXPECT_EQ(allowed(*one), "x ");
  EXPECT_FALSE(one->finished());
  feed(*one, {"x", "y"});
  EXPECT_TRUE(one->finished());
  EXPECT_EQ(allowed(*one), "$ ");
}

TEST_F(MarkedConstraintTest, is_free_again_behind_the_grammar_where_that_may_repeat) {
  const auto many = make({mark("<t>"), nullptr, true, true, true});
  feed(*many, {"<t>", "x", "y"});
  EXPECT_FALSE(many->finished());
  EXPECT_EQ(allowed(*many), "$ a < t> t>a > <t> x y <o> ");
  feed(*many, {"a", "<t>"});
  EXPECT_EQ(allowed(*many), "x ");
  EXPECT_FALSE(many->accept(pieces_.token("y")).ok());
}

TEST_F(MarkedConstraintTest, a_thought_does_not_end_the_answer) {
  const auto thought = make({mark("<t>"), mark("<o>"), true, false, false});
  EXPECT_EQ(allowed(*thought), "a < t> t>a > <t> x y <o> ");
  feed(*thought, {"<", "t>", "x"});
  EXPECT_EQ(allowed(*thought), "y ");
}

TEST_F(MarkedConstraintTest, a_thought_may_be_opened_by_the_first_token_alone) {
  const auto direct = make({mark("<t>"), mark("<o>"), false, false, false});
  EXPECT_EQ(allowed(*direct), "x <o> ");
  const auto thinks = direct->fork();
  feed(*direct, {"x"});
  EXPECT_EQ(allowed(*direct), "y ");
  feed(*thinks, {"<o>", "a", "<t>"});
  EXPECT_EQ(allowed(*thinks), "x ");
  EXPECT_FALSE(thinks->accept(pieces_.token("<o>")).ok());
}

TEST_F(MarkedConstraintTest, forks_go_their_own_ways) {
  const auto one = make({mark("<t>"), nullptr, true, true, false});
  feed(*one, {"a", "<"});
  const auto other = one->fork();
  feed(*one, {"t>"});
  EXPECT_EQ(allowed(*one), "x ");
  feed(*other, {"a"});
  EXPECT_EQ(allowed(*other), "$ a < t> t>a > <t> x y <o> ");
  const auto held = one->fork();
  feed(*one, {"x"});
  EXPECT_EQ(allowed(*held), "x ");
}

TEST_F(MarkedConstraintTest, knows_a_mark_that_is_a_token) {
  EXPECT_EQ(mark("<o>")->token(), pieces_.token("<o>"));
  EXPECT_EQ(mark("<u>")->token(), -1);
  EXPECT_EQ(allowed(*make({mark("<u>"), nullptr, true, true, false})), kAll);
}

}  // namespace
}  // namespace cortex::backend
