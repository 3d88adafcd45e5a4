// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title Freezer
/// @notice Holds a suspected wallet's whole balance: allowances given before find nothing to pull (R7).
/// @dev One clone per wallet, made by the wallet at its first suspicion, with the wallet as its immutable argument.
contract Freezer {
    using SafeERC20 for IERC20;

    /* ERRORS */

    /// @notice Only the wallet it belongs to.
    error NotFrozenWallet(address caller);

    /* FUNCTIONS */

    /// @notice Moves tokens out, to whom the wallet says. Only the wallet.
    /// @param token What is frozen here.
    /// @param to Who receives it.
    /// @param amount Base units.
    function release(IERC20 token, address to, uint256 amount) external {
        // The implementation has no argument: whatever its code holds in that place is no caller's address.
        address wallet = abi.decode(Clones.fetchCloneArgs(address(this)), (address));
        if (msg.sender != wallet) revert NotFrozenWallet(msg.sender);
        token.safeTransfer(to, amount);
    }
}
